import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Notice } from '@weft/errors';
import type { Json } from '@weft/spec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { endTokensOf, readGeneration } from './generation-config.js';
import type { GenerationSettings } from './generation-options.js';
import { resolveSettings } from './generation-settings.js';
import { answerPrompt, openPrompt, preparePrompt, startTimes, vocabSizeOf } from './generator.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { processorsOf } from './sampling.js';

const golden = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`./__fixtures__/${name}.json`, import.meta.url), 'utf8')) as T;

const floats = (text: string): Float32Array => {
  const bytes = Buffer.from(text, 'base64');
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
};

/** Settings of a request that names nothing, over the fields of a file. */
function settingsOf(
  fields: Json,
  vocabSize: number,
  logitsProcessors: GenerationSettings['logitsProcessors'] = [],
): GenerationSettings {
  const files = { folder: '/model', config: {}, generation: fields };
  const notices: Notice[] = [];
  const defaults = readGeneration(files, { vocabSize, notice: (notice) => notices.push(notice) });
  expect(notices).toEqual([]);
  const ends = endTokensOf(defaults, files, { tokenizerEnd: undefined, vocabSize });
  return resolveSettings({ logitsProcessors }, defaults, ends);
}

interface Sample {
  readonly fields: Json;
  readonly ids: number[];
  /** Tokens of the prompt among them. */
  readonly prompt: number;
  readonly most: number;
  /** Whether a caller's processor halves the logits. */
  readonly custom: boolean;
  readonly logits: string;
  readonly expected: string;
}
const { samples } = golden<{ samples: Sample[] }>('generation-processors');

const halved = (logits: Float32Array): void => {
  for (let i = 0; i < logits.length; i++) logits[i]! *= 0.5;
};

describe('fields that change logits', () => {
  const tried = new Set(samples.flatMap(({ fields }) => Object.keys(fields)));
  const names = [...tried].filter((name) => !['eos_token_id', 'do_sample', 'num_beams'].includes(name));

  it.each(names)('give the scores of transformers, alone and with others: %s', (name) => {
    const own = samples.filter(({ fields }) => name in fields);
    expect(own.length).toBeGreaterThanOrEqual(8);
    for (const { fields, ids, prompt, most, custom, logits, expected } of own) {
      const actual = floats(logits);
      const settings = settingsOf(fields, actual.length, custom ? [halved] : []);
      for (const processor of processorsOf(settings, { promptIds: ids.slice(0, prompt), most }))
        processor(actual, ids);
      const where = JSON.stringify({ fields, ids, prompt });
      for (const [i, value] of floats(expected).entries())
        if (Math.abs(value) <= 1) expect(Math.abs(actual[i]! - value), `${i} of ${where}`).toBeLessThan(1e-6);
        else if (Number.isFinite(value)) expect(actual[i]! / value, `${i} of ${where}`).toBeCloseTo(1, 6);
        else expect(actual[i], `${i} of ${where}`).toBe(value);
    }
  });
});

interface Case {
  readonly folder: string;
  readonly prompt: string;
  readonly fields: Json;
  readonly tokenIds: number[];
}
const { cases } = golden<{ cases: Case[] }>('generation-answers');

describe.each([...new Set(cases.map(({ folder }) => folder))])('random settings of %s', (folder) => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await load(fixture(folder), { worker: false });
  });
  afterAll(() => model.close());
  const own = cases.filter((given) => given.folder === folder);
  it.each(own.map((given) => [JSON.stringify(given.fields), given] as const))(
    'choose the tokens of transformers: %s',
    async (_, { prompt, fields, tokenIds }) => {
      const context = model.parts;
      const images = folder.startsWith('llava') ? [join(fixture(folder), 'image-0.png')] : [];
      const settings = settingsOf(fields, vocabSizeOf(context));
      const times = startTimes(context);
      const known = await preparePrompt(context, { prompt, images }, { times });
      const opened = await openPrompt(context, known, undefined);
      const lease = context.pictures.lease();
      const result = await answerPrompt(
        context,
        { prompt: known, settings, opened, lease },
        { times, emit: () => undefined },
      );
      opened.sequence.release();
      lease.release();
      expect(result.tokenIds).toEqual(tokenIds);
    },
  );
});
