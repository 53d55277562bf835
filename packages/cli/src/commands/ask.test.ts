import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { fixture, weft, type Outcome } from '../../test/weft.js';

const model = fixture('llava-siglip-qwen2');
const image = join(model, 'image-0.png');
const asked = ['ask', image, 'What is it?', '--model', model, '--max-tokens', '6'];

let json: Outcome;
beforeAll(async () => {
  json = await weft([...asked, '--json']);
});

describe('weft ask', () => {
  it('prints one JSON object with the answer, its tokens and its times', async () => {
    const { code, stdout, stderr } = json;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    const result = JSON.parse(stdout) as { timings: Record<string, number> } & Record<string, unknown>;
    expect(Object.keys(result)).toEqual([
      'answer',
      'promptTokens',
      'imageTokens',
      'generatedTokens',
      'finishReason',
      'timings',
    ]);
    expect(result).toMatchObject({
      imageTokens: 9,
      generatedTokens: 6,
      finishReason: 'length',
      answer: expect.any(String),
    });
    expect(result['promptTokens']).toBeGreaterThan(9);
    expect(Object.keys(result.timings)).toEqual(['load', 'preprocess', 'encode', 'prefill', 'decode']);
    for (const time of Object.values(result.timings)) expect(time).toBeGreaterThan(0);
  });

  it('asks the embedded model unless another is named, by its name too', async () => {
    const question = ['ask', 'What is a star?', '--max-tokens', '4'];
    const [unless, named] = [await weft(question), await weft([...question, '-m', 'tiny'])];
    expect(unless).toMatchObject({ code: 0, stderr: '' });
    expect(named).toEqual(unless);
  });

  it('streams the same answer as text', async () => {
    const text = await weft(asked);
    const { answer } = JSON.parse(json.stdout) as { answer: string };
    expect(text.code).toBe(0);
    // Control characters would move the cursor of a terminal.
    expect(text.stdout).toBe(`${answer.replace(/[^\P{Cc}\n\t]/gu, '')}\n`);
  });

  it('draws the same answer from the same seed', async () => {
    const drawn = async (seed: string) =>
      JSON.parse(
        (await weft([...asked, '--json', '--temperature', '1.5', '--top-p', '0.9', '--seed', seed])).stdout,
      ) as { answer: string };
    const answers = [await drawn('5'), await drawn('5'), await drawn('6')].map(({ answer }) => answer);
    expect(answers[1]).toBe(answers[0]);
    expect(answers[2]).not.toBe(answers[0]);
  });

  it('asks text models without pictures', async () => {
    const { code, stdout } = await weft([
      'ask',
      'What is it?',
      '--model',
      fixture('text-llama3'),
      '--max-tokens',
      '3',
      '--json',
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ imageTokens: 0, generatedTokens: 3, timings: { encode: 0 } });
  });

  it.each([
    ['a missing image', ['missing.png', '?', '--model', model], /error: There is no file missing\.png/],
    ['a file that is not an image', [join(model, 'config.json'), '?', '--model', model], /is not an image/],
    [
      'a missing model',
      [image, '?', '--model', 'missing-folder'],
      /no such folder\.\n {2}at .*missing-folder\n {2}Pass the folder/,
    ],
    ['a picture for a text model', [image, '?', '--model', fixture('text-llama3')], /text model/],
  ])('ends with code 1 and no stack for %s', async (_, args, message) => {
    const { code, stdout, stderr } = await weft(['ask', ...args, '--json']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\.js:\d+/);
  });

  it.each([
    ['no question', []],
    ['an option that does not exist', [image, '?', '--temprature', '1']],
    ['a value out of range', [image, '?', '--top-p', '1.5']],
    ['a value that is not a number', [image, '?', '--max-tokens', 'many']],
    ['a file in place of the question', [image]],
    ['an empty question', [image, ' ']],
  ])('ends with code 2 for %s', async (_, args) => {
    const { code, stdout, stderr } = await weft(['ask', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: /);
  });
});
