import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, weft } from '../../test/weft.js';

let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'weft-cli-quantize-'));
});
afterAll(() => rm(cache, { recursive: true }));

const run = (...args: string[]) => weft(args, { env: { WEFT_CACHE: cache } });

describe('weft quantize', () => {
  it('writes small weights once, and tells the error of each part and what becomes of answers', async () => {
    const args = ['quantize', fixture('llava-clip'), '--dtype', 'backbone=q4,head=q8', '--json'];
    const first = await run(...args);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const summary = JSON.parse(first.stdout) as {
      readonly file: string;
      readonly isCached: boolean;
      readonly parts: readonly { readonly part: string; readonly relativeError: number }[];
      readonly agreement: { readonly questions: number; readonly logitError: number };
    };
    expect(summary.isCached).toBe(false);
    expect(Object.fromEntries(summary.parts.map((part) => [part.part, part.relativeError]))).toEqual({
      backbone: expect.closeTo(0.08, 2),
      head: expect.closeTo(0.005, 2),
    });
    expect(summary.agreement.questions).toBe(7);
    expect(summary.agreement.logitError).toBeGreaterThan(0);
    expect(await readdir(join(cache, 'quantized'))).toHaveLength(2);

    const again = await run(...args.slice(0, -1), '--no-compare');
    expect(again.stdout).toMatch(/backbone +int4 block 32 search[^]*Found .*\.safetensors/);
    expect(again.stdout).not.toMatch(/answers/);
  });

  it('gives the weights to other commands', async () => {
    const answer = await run(
      'ask',
      'What?',
      '-m',
      fixture('text-qwen2-tied'),
      '--dtype',
      'fast',
      '--max-tokens',
      '3',
    );
    expect(answer).toMatchObject({ code: 0, stderr: '' });
  });

  it.each([
    ['a form that is none', 'q3', /"q3", expected one of float32, q8, q4,.* fast\./],
    ['a part that is none', 'arranger=q8', /'arranger' names no weight of llava/],
    ['a form that rounds nothing', 'exact', /leaves all weights as the files have them/],
    ['half a pair', '=q8', /Expected PART=FORM/],
  ])('refuses %s', async (_, dtype, message) => {
    const { code, stdout, stderr } = await run('quantize', fixture('llava-clip'), '--dtype', dtype);
    expect([code === 0, stdout]).toEqual([false, '']);
    expect(stderr).toMatch(message);
  });
});
