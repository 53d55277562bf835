import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { weft } from '../../test/weft.js';
import { comparisonChart } from '../compare-chart.js';
import type { Comparison } from '../comparison.js';

const compare = async (args: readonly string[]): Promise<Comparison> => {
  const { code, stdout, stderr } = await weft(['compare', ...args, '--json']);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout) as Comparison;
};

describe('weft compare', () => {
  it("shows NVLM's ordering: B is cheapest for a tile, A has the longest sequence", async () => {
    const { methods } = await compare(
      '--encoder internvit-6b --backbone qwen2-72b --every 8 --prompt-tokens 1024'.split(' '),
    );
    expect(methods.map(({ method }) => method)).toEqual(['A', 'B', 'H']);
    const large = methods.map(({ cases }) => cases[1]!);
    expect(large.map(({ decoderTokens }) => decoderTokens)).toEqual([1024 + 7 * 256, 1024 + 1, 1024 + 256]);
    expect(large.map(({ crossTokens }) => crossTokens)).toEqual([0, 7 * 256, 6 * 256]);
    // What six tiles more cost the language model.
    const [a, b, h] = methods.map(({ cases: [one, seven] }) => {
      const [less, more] = [one!, seven!].map(({ flops }) => flops.prefill + flops.keys);
      return more! - less!;
    }) as [number, number, number];
    expect(b).toBeLessThan(h);
    expect(h).toBeLessThan(a);
    const memory = large.map((one) => one.memory.tokens + one.memory.images);
    expect(memory[1]).toBeLessThan(memory[2]!);
    expect(memory[2]).toBeLessThan(memory[0]!);
  });

  it('takes several pictures and prompts, and joins patches only where they go two by two', async () => {
    const comparison = await compare(
      '--encoder siglip-so400m-patch14-384 --backbone qwen2-0.5b --max-tiles 2 --image 384x384 --image 768x384 --prompt-tokens 10 --prompt-tokens 20'.split(
        ' ',
      ),
    );
    expect(comparison.connector).toBe('mlp');
    const [unified] = comparison.methods;
    // 27 x 27 patches do not go in pairs: 729 tokens for a tile, three tiles for the wide picture.
    expect(unified!.cases.map(({ decoderTokens }) => decoderTokens)).toEqual([739, 749, 2197, 2207]);
    expect(unified!.parameters.fusion).toBe(0);
  });

  it('writes a table, and a chart whose bars have the heights of the figures', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'weft-compare-'));
    try {
      const args = '--backbone qwen2-0.5b --image 1344x896 --prompt-tokens 128'.split(' ');
      const { stdout } = await weft(['compare', ...args, '--svg', join(folder, 'chart.svg')]);
      expect(stdout).toContain('1344 x 896 pixels, 128 tokens of text\n7 tiles');
      expect(stdout).toMatch(/^A +1,920 +0 .*\nB +129 +1,792 .*\nH +384 +1,536 /m);
      const svg = await readFile(join(folder, 'chart.svg'), 'utf8');
      expect(svg).toBe(comparisonChart(await compare(args)));
      const heights = [
        ...svg.matchAll(/<rect x="[\d.]+" y="[\d.]+" width="[\d.]+" height="([\d.]+)" fill="#\w{6}"/g),
      ].map(([, height]) => Number(height));
      // The first panel: tokens of A, tokens and keys of B, tokens and keys of H, up to lines of 2000.
      const bars = heights.filter((height) => height !== 12).slice(0, 5);
      const expected = [1920, 129, 1792, 384, 1536].map((tokens) => (240 * tokens) / 2000);
      for (const [i, height] of bars.entries()) expect(height).toBeCloseTo(expected[i]!, 0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each([
    ['--encoder', 'internvit', /no vision encoder 'internvit'\.\n.*clip-base-patch32.*internvit-6b/],
    ['--connector', 'tape', /no connector 'tape'\.\n.*linear, mlp/],
    ['--backbone', 'qwen', /no preset 'qwen'\.\n.*qwen2-0\.5b/],
    ['--backbone', 'llama-3.2-11b-vision', /has cross-attention layers already/],
    ['--every', '40', /every 40 layers: the backbone has 28/],
  ])('refuses %s %s', async (option, value, message) => {
    const { code, stdout, stderr } = await weft(['compare', option, value]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
  });

  it.each([['--image', '0x100'], ['--prompt-tokens', 'many'], ['--max-tiles', '0'], ['somewhere']])(
    'calls wrong usage by its code: %s %s',
    async (...args) => {
      const { code, stderr } = await weft(['compare', ...args]);
      expect(code).toBe(2);
      expect(stderr).not.toBe('');
    },
  );
});
