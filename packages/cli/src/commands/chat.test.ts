import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { fixture, weft, type Outcome } from '../../test/weft.js';

const model = fixture('llava-siglip-qwen2');
const image = join(model, 'image-0.png');
const options = ['--model', model, '--max-tokens', '4'];
/** Answers of a random model may hold line breaks, so they are compared as one text. */
const chat = async (args: readonly string[], ...lines: readonly string[]) =>
  weft(['chat', ...args, ...options], { input: lines.join('\n') });

let first: Outcome;
let alone: Outcome;
beforeAll(async () => {
  first = await chat([image], 'What is it?');
  alone = await chat([], 'Where?');
});

describe('weft chat', () => {
  it('answers one turn for each line, and remembers the turns before', async () => {
    const both = await chat([image], 'What is it?', 'Where?', '/exit', 'Never asked');
    expect([first.code, both.code, alone.code]).toEqual([0, 0, 0]);
    expect(both.stdout.startsWith(first.stdout)).toBe(true);
    expect(both.stdout.slice(first.stdout.length)).not.toBe('');
    expect(both.stdout.slice(first.stdout.length)).not.toBe(alone.stdout);
  });

  it('forgets with /reset, and takes pictures with /image', async () => {
    const { code, stdout } = await chat([], 'Hello?', '/reset', `/image ${image}`, 'What is it?');
    expect(code).toBe(0);
    expect(stdout.endsWith(first.stdout)).toBe(true);
  });

  it('goes on after a line that cannot be used, and ends with code 1', async () => {
    const { code, stdout, stderr } = await chat([], '/image missing.png', '/unknown', '/image', 'Where?');
    expect({ code, stdout }).toEqual({ code: 1, stdout: alone.stdout });
    expect(stderr).toMatch(
      /There is no file missing\.png[^]*There is no command '\/unknown'[^]*\/image has no path of a picture/,
    );
  });

  it('ends with code 130 after Ctrl-C', async () => {
    const { code, stderr } = await weft(['chat', ...options], {
      input: 'What is it?\n',
      keepOpen: true,
      interruptAfter: '\n',
    });
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
  });
});
