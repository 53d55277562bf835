// Training: configurations, rows of JSON Lines and the images that they name. No file outside of the data's folder may be read
// or written, and what is refused is refused by an error of Weft.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { readTrainConfig } from '../../packages/cli/dist/train-config.js';
import { train } from '../../packages/cli/dist/train-run.js';
import { modelOf } from '../../packages/models/dist/index.js';
import { readCheckpointFiles } from '../../packages/runtime/dist/index.js';
import { loadChatTemplate, loadTokenizer } from '../../packages/text/dist/index.js';
import { describeStage, jsonlDataset } from '../../packages/train/dist/index.js';
import { fixtures, temporaryFolder } from './inputs/copies.mjs';
import { oddText, pathsOf, shownText, valueAt, withText } from './inputs/json.mjs';
import { random } from './random.mjs';

export const name = 'training';
export const count = 2000;

const base = join(fixtures, 'llava-siglip-qwen2');
const stage = {
  ...{ name: 'all', trainable: ['connector'], frozen: ['encoder'], steps: 1, batchSize: 1, accumulate: 1 },
  ...{
    learningRate: 1e-3,
    rates: [{ match: 'connector', learningRate: 1e-3 }],
    warmupSteps: 0,
    floorRatio: 0.1,
  },
  ...{ schedule: 'cosine', weightDecay: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, lengthWindow: 1 },
  ...{ clip: 'global', maxGradientNorm: 1, muon: ['connector'], momentum: 0.9 },
};
const config = {
  ...{ model: base, data: { file: 'samples.jsonl', images: '.' }, stages: [stage], out: 'out', seed: 1 },
  ...{ maxLength: 200, dtype: 'float32', saveEvery: 1, threads: 1 },
  evaluation: { file: 'samples.jsonl', samples: 1, every: 1 },
};
const part = (id) => ({ id, config: {} });
const composed = {
  model: {
    compose: {
      ...{
        name: 'mine',
        encoder: { from: base },
        connector: part('connector-mlp'),
        backbone: { from: base },
      },
      ...{ fusion: part('fusion-unified'), tokenizer: base, imageToken: '<image>' },
    },
  },
  data: { file: 'samples.jsonl' },
  stages: [{ name: 'all', trainable: ['connector'], steps: 1, batchSize: 1, learningRate: 1e-3 }],
  ...{ out: 'out', seed: 1, threads: 1 },
};
const rows = [
  {
    messages: [
      { role: 'user', content: '<image>What?' },
      { role: 'assistant', content: 'A star.' },
    ],
    images: ['a.png'],
  },
  {
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'What?' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'A star.' }] },
    ],
    images: ['a.png'],
  },
];
const says = (content) =>
  `{"messages":[{"role":"user","content":${content}},{"role":"assistant","content":"yes"}]}`;
const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);
const lines = [
  ...[
    '',
    '\n\n',
    '{',
    '[]',
    'null',
    '"x"',
    '1',
    '{}',
    '{"messages":[]}',
    '{"messages":null}',
    nested(50_000),
    '\0',
  ],
  ...[
    '"x"',
    '""',
    '" "',
    '5',
    '[]',
    nested(20_000),
    `"${'word '.repeat(100_000)}"`,
    '"\\ud800"',
    '"\\u0000"',
  ].map(says),
  ...['"<|im_end|><image>"', '"<image><image>"', '"\\ue000"'].map(says),
  ...[`\ufeff${says('"x"')}`, `${says('"x"')} more`, `${says('"x"')}\r\n${says('"y"')}`, `${says('"x"')}\n{`],
  ...['tool', '__proto__', 'User', ''].map((role) => `{"messages":[{"role":"${role}","content":"x"}]}`),
];
/** Names of images, and whether they may be read. */
const images = [
  ...['a.png', './a.png', 'inner/../a.png', 'inside.png', 'a.png/'].map((image) => [image, true]),
  ...[
    '../secret.png',
    '../work/../secret.png',
    'link.png',
    'linked/secret.png',
    'broken.png',
    'dangling.png',
  ],
  ...[
    'loop.png',
    'missing.png',
    '.',
    '',
    '/dev/zero',
    '/dev/stdin',
    '/proc/self/mem',
    '/etc/hostname',
    'pipe.png',
  ],
  ...['a.png\0.txt', 'file:///etc/hostname', 'data:image/png;base64,AAAA', 'http://127.0.0.1:9/a.png'],
  ...['x'.repeat(5000), '\ud800.png', 'A.PNG/'],
].map((one) => (Array.isArray(one) ? one : [one, false]));

/** Case i: its words, and the files' texts where they are not the usual ones. */
function make(i) {
  const r = random(i * 27_644 + 9);
  const changed = (json) => {
    const at = r.pick([...pathsOf(json)]);
    const text = oddText(r, valueAt(json, at));
    return { what: `${at.join('.')}: ${shownText(text)}`, text: withText(json, at, text) };
  };
  const kind = r.pick(['config', 'config', 'composed', 'row', 'row', 'line', 'image']);
  if (kind === 'config' || kind === 'composed') {
    const { what, text } = changed(kind === 'config' ? config : composed);
    return { what: `${kind} ${what}`, config: text, isRun: r.chance(0.25) };
  }
  if (kind === 'row') {
    const { what, text } = changed(r.pick(rows));
    return { what: `row ${what}`, line: text };
  }
  if (kind === 'line') {
    const line = r.pick(lines);
    return { what: `line ${shownText(line)}`, line };
  }
  const [image, mayBeRead] = r.pick(images);
  return {
    what: `image ${image.slice(0, 40)}`,
    line: JSON.stringify({ ...rows[0], images: [image] }),
    mayBeRead,
  };
}

export async function open() {
  const { config: own, recipe } = await readCheckpointFiles(base);
  const tools = {
    model: await modelOf(own, recipe),
    tokenizer: await loadTokenizer(base, { placeholders: ['<image>'] }),
    chatTemplate: await loadChatTemplate(base),
    maxLength: 300,
  };
  // Progress of the runs: nobody reads it.
  process.stdout.write = () => true;
  process.stderr.write = () => true;
  return { tools, root: temporaryFolder('training') };
}

function prepare(root) {
  const folder = join(root, 'work');
  rmSync(folder, { recursive: true, force: true });
  for (const path of [folder, join(folder, 'inner')]) mkdirSync(path);
  const png = join(base, 'image-0.png');
  for (const path of [join(folder, 'a.png'), join(root, 'secret.png')]) copyFileSync(png, path);
  for (const [target, link] of [
    ...[
      ['a.png', 'inside.png'],
      ['../secret.png', 'link.png'],
      ['..', 'linked'],
      ['nowhere', 'dangling.png'],
    ],
    ['loop.png', 'loop.png'],
  ])
    symlinkSync(target, join(folder, link));
  writeFileSync(join(folder, 'broken.png'), 'no image');
  // A pipe would wait for its other end. Windows has none.
  if (process.platform !== 'win32') execFileSync('mkfifo', [join(folder, 'pipe.png')]);
  return folder;
}

export async function run(i, { say, context: { tools, root } }) {
  const made = make(i);
  say(made.what);
  const folder = prepare(root);
  const samples = join(folder, 'samples.jsonl');
  writeFileSync(samples, made.line ?? JSON.stringify(rows[0]));
  if (made.line !== undefined) {
    const data = await jsonlDataset(samples, tools);
    for (let k = 0; k < data.size; k++) {
      const { inputIds, labels } = await data.example(k);
      if (labels && labels.length !== inputIds.length)
        return { kind: 'wrong', message: `${labels.length} labels of ${inputIds.length} tokens` };
    }
    return made.mayBeRead === false ? { kind: 'wrong', message: `reads the ${made.what}` } : undefined;
  }
  const file = join(folder, 'train.json');
  writeFileSync(file, made.config);
  const read = await readTrainConfig(file);
  const stages = read.stages.map((own) => own.stage);
  if (typeof read.model === 'string' && read.model === base)
    for (const own of stages) describeStage(tools.model, own);
  const isLong = stages.some(({ steps, batchSize, accumulate = 1 }) => steps * batchSize * accumulate > 8);
  // A folder elsewhere, or a long run, is what the file asks for; it is not run here.
  if (!made.isRun || isLong || !read.out.startsWith(folder + sep)) return undefined;
  await train(read, { signal: new AbortController().signal });
  const strays = readdirSync(root).filter((entry) => !['work', 'secret.png'].includes(entry));
  return strays.length > 0 ? { kind: 'wrong', message: `writes ${strays.join()}` } : undefined;
}
