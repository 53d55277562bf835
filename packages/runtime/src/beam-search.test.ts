import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveSettings, type GenerationOptions } from './generation-options.js';
import { answerPrompt, openPrompt, preparePrompt, startTimes } from './generator.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { fixture } from '../test/fixtures.js';

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
      const settings = resolveSettings(given.settings, {}, new Set(given.ends));
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

  it('does not sample, and returns no more sequences than it has beams', () => {
    expect(() => model.generate({ prompt: 'a', numBeams: 2, temperature: 1 })).toThrow(/not supported/);
    expect(() => model.generate({ prompt: 'a', numBeams: 2, numReturnSequences: 3 })).toThrow(/only 2 beams/);
  });
});
