// The JSON files of checkpoints, field by field: other types, huge, negative, odd and missing values. What is taken must load
// and answer. A value of another type must not change an answer in silence: it is refused, told, or plays no part.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from '../../packages/runtime/dist/index.js';
import { copies, fixtures, temporaryFolder, withFile } from './inputs/copies.mjs';
import { isOtherType, oddText, pathsOf, shownText, valueAt, withText } from './inputs/json.mjs';
import { random } from './random.mjs';

export const name = 'configs';
export const count = 10_000;

const models = [
  ...[
    'llava-clip',
    'smolvlm-stretch',
    'qwen2-vl-two',
    'qwen2.5-vl-video',
    'mllama-two-tiles',
    'molmo-portrait',
  ],
  ...['pixtral-hub', 'fuyu-small', 'internvl-original', 'llava-onevision-two', 'janus-two', 'aria-two'],
  ...['text-llama3', 'text-qwen2-tied', 'text-phi3', 'text-olmoe', 'text-longrope'],
];
const files = [
  ...['config.json', 'config.json', 'config.json', 'processor_config.json', 'preprocessor_config.json'],
  ...['generation_config.json', 'tokenizer_config.json', 'tokenizer.json', 'video_preprocessor_config.json'],
];

const parsed = new Map();
function read(model, file) {
  const path = join(fixtures, model, file);
  if (!parsed.has(path)) {
    const json = JSON.parse(readFileSync(path, 'utf8'));
    parsed.set(path, { json, paths: [...pathsOf(json)] });
  }
  return parsed.get(path);
}

/** Case i: which field of which file, what it was, and what stands there now, as JSON text. */
export function make(i) {
  const r = random(i * 40_503 + 11);
  const model = r.pick(models);
  const file = r.pick(files.filter((one) => existsSync(join(fixtures, model, one))));
  const { json, paths } = read(model, file);
  const at = r.pick(paths);
  const before = valueAt(json, at);
  const text = oddText(r, before);
  return { model, file, at, before, text, content: withText(json, at, text) };
}

const picture = { width: 40, height: 30, channels: 3, data: new Uint8Array(40 * 30 * 3).fill(77) };

/** What a model answers to a short question, with a picture if it sees. */
async function answer(folder) {
  const model = await load(folder, { worker: false, threads: 1 });
  try {
    const images = model.model.senses.length > 0 ? [{ type: 'image', image: picture }] : [];
    const messages = [{ role: 'user', content: [...images, { type: 'text', text: 'Hello you' }] }];
    const result = await model.generate({ messages, seed: 1, maxNewTokens: 3 }).result();
    return { answer: `${result.promptTokens}: ${result.tokenIds.join()}`, notices: model.notices.length };
  } finally {
    await model.close();
  }
}

/** Fields of which transformers takes several types: one mean for all channels, no window. */
const ofSeveralTypes = /(image_mean|image_std|sliding_window|eos_token_id)(\.\d+)?$/;

export function open() {
  const copyOf = copies(temporaryFolder('configs'));
  const expected = new Map();
  return {
    copyOf,
    expectedOf: async (model) => {
      if (!expected.has(model)) expected.set(model, await answer(copyOf(model)));
      return expected.get(model);
    },
  };
}

export async function run(i, { say, context: { copyOf, expectedOf } }) {
  const { model, file, at, before, text, content } = make(i);
  say(`${model} ${file} ${at.join('.')}: ${shownText(text)}`);
  const folder = copyOf(model);
  const expected = await expectedOf(model);
  const found = await withFile(join(folder, file), content, () => answer(folder));
  if (!isOtherType(text, before) || ofSeveralTypes.test(at.join('.'))) return undefined;
  const isTold = found.notices > expected.notices;
  if (found.answer === expected.answer || isTold) return undefined;
  return { kind: 'wrong', message: `${file} ${at.join('.')} takes ${shownText(text)} and answers otherwise` };
}
