import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@weft/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import type { GenerationOptions } from './generation-options.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';

const from = fixture('text-llama3');
const made: string[] = [];
afterAll(async () => {
  for (const folder of made) await rm(folder, { recursive: true });
});

/** The fixture with a generation_config.json of its own, or none. */
async function folderWith(text: string | undefined): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'weft-generation-'));
  made.push(folder);
  await cp(from, folder, { recursive: true });
  if (text === undefined) await rm(join(folder, 'generation_config.json'));
  else await writeFile(join(folder, 'generation_config.json'), text);
  return folder;
}
const open = async (fields: object) => load(await folderWith(JSON.stringify(fields)), { worker: false });

let plain: LoadedModel;
beforeAll(async () => {
  plain = await load(from, { worker: false });
});
afterAll(() => plain.close());
const question = { prompt: 'The quick brown', maxNewTokens: 10 };

describe('generation_config.json of a folder', () => {
  it('says the same as the options of a request', async () => {
    const { tokenIds: free } = await plain.generate(question).result();
    const pairs: [object, GenerationOptions][] = [
      [{ suppress_tokens: [free[0]!, free[3]!] }, { suppressTokens: [free[0]!, free[3]!] }],
      [{ begin_suppress_tokens: [free[0]!] }, { beginSuppressTokens: [free[0]!] }],
      [{ bad_words_ids: [[free[1]!, free[2]!]] }, { badWordsIds: [[free[1]!, free[2]!]] }],
      [{ sequence_bias: [[[free[2]!], -9]] }, { sequenceBias: [[[free[2]!], -9]] }],
      [{ forced_eos_token_id: [7, 9] }, { forcedEosTokenId: [7, 9] }],
      [{ eos_token_id: [free[4]!] }, { eosTokenId: free[4]! }],
      [
        { eos_token_id: free[4]!, min_new_tokens: 8 },
        { eosTokenId: free[4]!, minNewTokens: 8 },
      ],
      [{ encoder_repetition_penalty: 3 }, { encoderRepetitionPenalty: 3 }],
      [{ watermarking_config: { bias: 4 } }, { watermarking: { bias: 4 } }],
      [
        { num_beams: 3, length_penalty: 2, no_repeat_ngram_size: 1 },
        { numBeams: 3, lengthPenalty: 2, noRepeatNgramSize: 1 },
      ],
      [
        { do_sample: true, typical_p: 0.4, temperature: 3 },
        { typicalP: 0.4, temperature: 3 },
      ],
    ];
    for (const [fields, options] of pairs) {
      const model = await open({ eos_token_id: 311, ...fields });
      const asked = { ...question, seed: 5 };
      const [file, request] = [
        await model.generate(asked).result(),
        await plain.generate({ ...asked, ...options }).result(),
      ];
      await model.close();
      expect(file.tokenIds, JSON.stringify(fields)).toEqual(request.tokenIds);
      expect(file.tokenIds, JSON.stringify(fields)).not.toEqual(free);
    }
  });

  it('ends answers at its stop strings, its length and its time', async () => {
    const { text, promptTokens } = await plain.generate(question).result();
    const stop = text.slice(2, 4);
    const stopped = await open({ stop_strings: stop });
    expect((await stopped.generate(question).result()).text).toBe(text.slice(0, text.indexOf(stop)));
    expect((await stopped.generate({ ...question, stop: [] }).result()).text).toBe(text);
    await stopped.close();
    const short = await open({ max_length: promptTokens + 4, max_time: 1e-6 });
    expect((await short.generate({ prompt: question.prompt }).result()).generatedTokens).toBe(1);
    const { generatedTokens, finishReason } = await short
      .generate({ prompt: question.prompt, maxTime: 1000 })
      .result();
    expect([generatedTokens, finishReason]).toEqual([4, 'length']);
    const beams = { prompt: question.prompt, numBeams: 2 };
    expect((await short.generate(beams).result()).generatedTokens).toBe(1);
    await expect(short.generate({ prompt: `${text} `.repeat(9) }).result()).rejects.toThrow(/max_length/);
    expect(
      (await short.chat({ maxTime: 1000, maxNewTokens: 3 }).send('Hello').result()).generatedTokens,
    ).toBe(3);
    await short.close();
  });

  it('is told where it is not applied, and refused where it is wrong', async () => {
    const model = await open({ guidance_scale: 2, top_k: -1, tempreature: 2 });
    expect(model.notices.map(({ where }) => where)).toEqual([
      'generation_config.json: guidance_scale',
      'generation_config.json: top_k',
      'generation_config.json: tempreature',
    ]);
    expect(() => model.generate({ ...question, doSample: true })).toThrow(ConfigError);
    expect(() => model.chat().send('Hello', { topP: 0.5 })).toThrow(/top_k is -1/);
    expect((await model.generate({ ...question, topK: 3, seed: 1 }).result()).generatedTokens).toBe(10);
    await model.close();
    const wrong = await folderWith('{"do_sample": true, "temperature": NaN}');
    await expect(load(wrong, { worker: false })).rejects.toThrow(
      /temperature is "NaN"[^]*generation_config.json/,
    );
  });

  it('may be missing: config.json then counts', async () => {
    const folder = await folderWith(undefined);
    const path = join(folder, 'config.json');
    const config = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(
      path,
      JSON.stringify({ ...config, max_length: 20, min_length: 0, num_beams: 3, do_sample: false }),
    );
    const model = await load(folder, { worker: false });
    const [file, request] = [
      await model.generate(question).result(),
      await plain.generate({ ...question, numBeams: 3 }).result(),
    ];
    await model.close();
    expect(model.notices).toEqual([]);
    expect(file.tokenIds).toEqual(request.tokenIds);
  });

  it('draws from fifty tokens where it does not say how many', async () => {
    const seen = async (topK?: number) => {
      const ids = new Set<number>();
      for (let seed = 0; seed < 400; seed++) {
        const { tokenIds } = await plain
          .generate({ prompt: 'The', maxNewTokens: 1, temperature: 50, seed, topK })
          .result();
        ids.add(tokenIds[0]!);
      }
      return ids.size;
    };
    expect(await seen()).toBeLessThanOrEqual(50);
    expect(await seen(0)).toBeGreaterThan(100);
  });
});

describe('an answer that is cancelled', () => {
  it('has all its text in its chunks, what was held back in the last', async () => {
    const { text } = await plain.generate({ ...question, maxNewTokens: 40 }).result();
    const stop = `${text.slice(0, 2)}never`;
    const stream = plain.generate({
      ...question,
      maxNewTokens: 400,
      stop: [stop, `${text.slice(0, 30)}never`],
    });
    const chunks = [];
    for await (const chunk of stream) {
      chunks.push(chunk);
      if (chunks.length === 3) stream.cancel();
    }
    const result = await stream.result();
    expect(result.finishReason).toBe('abort');
    expect(result.text.length).toBeGreaterThan(0);
    expect(chunks.map((chunk) => chunk.text).join('')).toBe(result.text);
    expect(chunks.flatMap(({ tokenId }) => tokenId ?? [])).toEqual(result.tokenIds);
    expect(chunks.at(-1)!.tokenId).toBeUndefined();
  });
});
