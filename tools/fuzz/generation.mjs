// generation_config.json with fields in and out of range. A value that a request would be refused for is refused or told, a
// good one is taken, and answers keep to what was said.
import { join } from 'node:path';
import { load } from '../../packages/runtime/dist/index.js';
import { copies, temporaryFolder, withFile } from './inputs/copies.mjs';
import { shownText } from './inputs/json.mjs';
import { random } from './random.mjs';

export const name = 'generation';
export const count = 4000;

const whole = ['-1', '1.5', '1e308', '1e400', '"5"', '"x"', '[]', '{}', 'true', '[[1]]'];
const ids = [
  '-1',
  '1.5',
  '1000000000',
  '"x"',
  '{}',
  'true',
  '[-1]',
  '["x"]',
  '[1.5]',
  '[null]',
  '[[1]]',
  '[1e9]',
];
const flag = ['"true"', '"x"', '1', '0', '[]', '{}', '-1'];
const real = ['"0.7"', '"x"', '""', '[]', '{}', 'true', '[0.5]', '"NaN"', '1e400'];
/** Values of each field: good ones, and ones that must not pass in silence. */
const fields = {
  max_new_tokens: [
    ['1', '3'],
    [...whole, '0'],
  ],
  max_length: [['9', '40'], whole],
  min_new_tokens: [['0', '2'], whole],
  min_length: [['0', '6'], whole],
  do_sample: [['true', 'false'], flag],
  early_stopping: [
    ['true', 'false', '"never"'],
    ['"x"', '[]', '{}', '-1'],
  ],
  num_beams: [
    ['1', '2', '3'],
    [...whole, '0'],
  ],
  temperature: [
    ['0.1', '1', '3'],
    [...real, '-1'],
  ],
  top_k: [['0', '1', '50', '100000'], whole],
  top_p: [
    ['0.1', '0.9', '1'],
    [...real, '-1', '5'],
  ],
  min_p: [
    ['0', '0.05', '1'],
    [...real, '-1', '7'],
  ],
  typical_p: [
    ['0.2', '0.95', '1'],
    [...real, '-1', '2'],
  ],
  epsilon_cutoff: [
    ['0', '0.0003'],
    [...real, '-1', '2'],
  ],
  eta_cutoff: [
    ['0', '0.0003'],
    [...real, '-1', '2'],
  ],
  repetition_penalty: [
    ['0.5', '1', '1.3'],
    [...real, '0', '-1'],
  ],
  encoder_repetition_penalty: [
    ['0.5', '1', '1.3'],
    [...real, '0', '-1'],
  ],
  length_penalty: [['-1', '0', '1.5'], real],
  no_repeat_ngram_size: [['0', '1', '2'], whole],
  encoder_no_repeat_ngram_size: [['0', '2'], whole],
  bad_words_ids: [
    ['[[1]]', '[[1,2],[7]]'],
    ['[1]', '[["x"]]', '"x"', '1', '{}', '[[]]', '[[-1]]'],
  ],
  forced_bos_token_id: [['3'], ids],
  forced_eos_token_id: [['3', '[3,4]'], ids],
  eos_token_id: [['3', '[3,4]', '[]'], ids],
  suppress_tokens: [
    ['[1,2]', '[]'],
    ['1', '"x"', '{}', 'true', '[-1]', '["x"]', '[1.5]', '[null]', '[1e9]'],
  ],
  begin_suppress_tokens: [
    ['[1,2]', '[]'],
    ['1', '"x"', '{}', 'true', '[-1]', '["x"]', '[1.5]', '[null]', '[1e9]'],
  ],
  exponential_decay_length_penalty: [
    ['[1,1.5]'],
    ['1', '[1]', '[1,2,3]', '["x",1]', '[-1,1.5]', '{}', '"x"', 'true'],
  ],
  sequence_bias: [
    ['[[[1],2.5]]', '[[[1,2],-9]]'],
    ['1', '"x"', '[1]', '[[1,2]]', '[[[1],"x"]]', '[[[-1],1]]', '[[[],1]]'],
  ],
  stop_strings: [
    ['"zzz"', '["a","b"]'],
    ['1', 'true', '{}', '[1]', '[""]', '""', '[null]'],
  ],
  max_time: [
    ['5', '0.5'],
    [...real, '-1'],
  ],
  renormalize_logits: [['true', 'false'], flag],
  remove_invalid_values: [['true', 'false'], flag],
  num_return_sequences: [
    ['1', '2'],
    [...whole, '0'],
  ],
  watermarking_config: [
    ['{"greenlist_ratio":0.25,"bias":2}', '{"seeding_scheme":"selfhash","context_width":1}'],
    [
      '1',
      '"x"',
      '[]',
      '{"x":1}',
      '{"greenlist_ratio":5}',
      '{"bias":"x"}',
      '{"context_width":-1}',
      '{"seeding_scheme":7}',
    ],
  ],
};

/** Case i: fields with their values as JSON text, and which of them must not pass in silence. */
export function make(i) {
  const r = random(i * 15_485 + 3);
  const chosen = new Map();
  for (let k = r.int(4); k >= 0; k--) {
    const key = r.pick(Object.keys(fields));
    const isBad = r.chance(0.3);
    chosen.set(key, { text: r.pick(fields[key][isBad ? 1 : 0]), isBad });
  }
  // Sampling's fields count where the model samples; a file that does not sample may say what it likes of them.
  if (!chosen.has('do_sample') && r.chance(0.5)) chosen.set('do_sample', { text: 'true', isBad: false });
  return chosen;
}

export function open() {
  const copyOf = copies(temporaryFolder('generation'));
  return copyOf('text-llama3');
}

const ofSampling = ['temperature', 'top_k', 'top_p', 'min_p', 'typical_p', 'epsilon_cutoff', 'eta_cutoff'];
const ofBeams = ['early_stopping', 'length_penalty', 'renormalize_logits'];

export async function run(i, { say, context: folder }) {
  const chosen = make(i);
  const content = `{${[...chosen].map(([key, { text }]) => `"${key}":${text}`).join()}}`;
  say(content.length > 200 ? shownText(content) : content);
  const given = (key) => JSON.parse(chosen.get(key)?.text ?? 'null');
  return withFile(join(folder, 'generation_config.json'), content, async () => {
    const model = await load(folder, { worker: false, threads: 1 });
    try {
      const hasEnd = chosen.has('max_new_tokens') || chosen.has('max_length');
      const stream = model.generate({ prompt: 'Hello', seed: i, ...(hasEnd ? {} : { maxNewTokens: 4 }) });
      const { tokenIds, generatedTokens, promptTokens } = await stream.result();
      const told = model.notices.map(({ where }) => where);
      const plays = (key) =>
        ofSampling.includes(key)
          ? given('do_sample') === true
          : !ofBeams.includes(key) || given('num_beams') > 1;
      for (const [key, { text, isBad }] of chosen)
        if (isBad && plays(key) && !told.some((where) => where.endsWith(`: ${key}`)))
          return { kind: 'wrong', message: `takes ${key} ${shownText(text)}` };
      const most =
        given('max_new_tokens') ?? (given('max_length') === null ? 4 : given('max_length') - promptTokens);
      if (generatedTokens > most) return { kind: 'wrong', message: `${generatedTokens} tokens of ${most}` };
      const suppressed = tokenIds.find((id) => given('suppress_tokens')?.includes?.(id));
      if (suppressed !== undefined)
        return { kind: 'wrong', message: `gives the suppressed token ${suppressed}` };
      return undefined;
    } finally {
      await model.close();
    }
  });
}
