import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noDefaults } from './generation-config.js';
import type { GenerationOptions } from './generation-options.js';
import { resolveSettings } from './generation-settings.js';
import { answerPrompt, openPrompt, preparePrompt, startTimes } from './generator.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { fixture } from '../test/fixtures.js';
import { beamSearch } from './beam-search.js';

interface Case {
  readonly prompt: string;
  readonly ends: number[];
  readonly settings: GenerationOptions;
  readonly sequences: number[][];
  readonly scores: number[];
}
const { folder, cases } = JSON.parse(
  readFileSync(new URL('./__fixtures__/beams.json', import.meta.url), 'utf8'),
) as {
  folder: string;
  cases: Case[];
};

let model: LoadedModel;
beforeAll(async () => {
  model = await load(fixture(folder), { worker: false });
});
afterAll(() => model.close());

describe('beam search', () => {
  it.each(cases.map((given) => [JSON.stringify(given.settings), given] as const))(
    'finds the beams of transformers: %s',
    async (_, given) => {
      const context = model.parts;
      const settings = resolveSettings(given.settings, noDefaults, new Set(given.ends));
      const times = startTimes(context);
      const prompt = await preparePrompt(context, { prompt: given.prompt }, { times });
      const opened = await openPrompt(context, prompt, undefined);
      const result = await answerPrompt(
        context,
        { prompt, settings, opened, lease: context.pictures.lease() },
        { times, emit: () => undefined },
      );
      opened.sequence.release();
      expect(result.tokenIds).toEqual(given.sequences[0]);
      if (settings.numReturnSequences === 1) return;
      expect(result.sequences!.map(({ tokenIds }) => tokenIds)).toEqual(given.sequences);
      for (const [i, { score }] of result.sequences!.entries())
        expect(score / given.scores[i]!).toBeCloseTo(1, 4);
    },
  );

  it('ends at a stop string', async () => {
    const plain = await model.generate({ prompt: 'The quick', numBeams: 3, maxNewTokens: 10 }).result();
    const stop = plain.text.slice(2, 5);
    const stopped = await model
      .generate({ prompt: 'The quick', numBeams: 3, maxNewTokens: 10, stop: [stop] })
      .result();
    expect(stopped.text).not.toContain(stop);
  });

  it('draws continuations when it samples: the same for a seed, others for another', async () => {
    const draw = (seed: number) =>
      model
        .generate({
          prompt: 'The quick',
          numBeams: 3,
          temperature: 1.5,
          maxNewTokens: 8,
          seed,
          numReturnSequences: 3,
        })
        .result();
    const [a, b, c] = [await draw(1), await draw(1), await draw(2)];
    expect(a.sequences).toEqual(b.sequences);
    expect(a.sequences).not.toEqual(c.sequences);
    const scores = a.sequences!.map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((x, y) => y - x));
    expect(new Set(a.sequences!.map(({ tokenIds }) => tokenIds.join())).size).toBe(3);
  });

  it('returns no more sequences than it has beams', () => {
    expect(() => model.generate({ prompt: 'a', numBeams: 2, numReturnSequences: 3 })).toThrow(/only 2 beams/);
  });
});

/** Answers of one token from fixed logits, so that what is drawn can be counted. */
const draw = (logits: readonly number[], seed: number, most = 1) =>
  beamSearch({
    promptIds: [0],
    settings: {
      ...resolveSettings({ numBeams: 2, doSample: true, topK: 0, seed }, noDefaults, new Set([0])),
      numReturnSequences: 2,
    },
    most,
    first: Float32Array.from(logits),
    next: async (parents) => parents.map(() => Float32Array.from(logits)),
    isStopped: () => false,
  });

describe('beam search that samples', () => {
  it('draws without replacement as often as the probabilities say', async () => {
    const probabilities = [0.1, 0.5, 0.25, 0.15];
    const counts = [0, 0, 0, 0];
    const runs = 6000;
    for (let seed = 0; seed < runs; seed++)
      for (const { tokenIds } of await draw(probabilities.map(Math.log), seed)) counts[tokenIds[0]!]!++;
    for (const [i, p] of probabilities.entries()) {
      // Drawn first, or second after one of the others.
      const second = probabilities.reduce((sum, q, j) => sum + (j === i ? 0 : (q * p) / (1 - q)), 0);
      expect(Math.abs(counts[i]! / runs - (p + second))).toBeLessThan(0.026);
    }
  });

  it('never draws what is forbidden, and says so when nothing is left', async () => {
    for (let seed = 0; seed < 50; seed++)
      for (const { tokenIds } of await draw([1, -Infinity, 2, 1], seed, 3)) expect(tokenIds).not.toContain(1);
    await expect(draw([-Infinity, -Infinity, -Infinity], 1)).rejects.toThrow(/No token can follow/);
  });
});
