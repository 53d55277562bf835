// golden.safetensors with tensors left out, of other types, shapes and values, and other metadata. The comparison ends in
// failed checks or an error of Weft; values that are wrong never pass.
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { verify } from '../../packages/runtime/dist/index.js';
import { openSafetensors, writeSafetensors } from '../../packages/weights/dist/index.js';
import { fixtures, temporaryFolder } from './inputs/copies.mjs';
import { random } from './random.mjs';

export const name = 'golden';
export const count = 400;

const models = [
  ...[
    'llava-clip',
    'text-llama3',
    'mllama-two-tiles',
    'llava-batch',
    'smolvlm-stretch',
    'fuyu-small',
    'molmo-portrait',
  ],
  ...['qwen2-vl-two', 'qwen2.5-vl-video', 'internvl-two', 'pixtral-hub', 'text-olmoe'],
];
const sizes = { F64: 8, I64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, I16: 2, U8: 1, I8: 1, BOOL: 1 };
const product = (shape) => shape.reduce((a, b) => a * b, 1);

/** The tensor with another shape; values are cut off or filled up with zeros. */
function shaped(tensor, shape) {
  const data = new Uint8Array(product(shape) * sizes[tensor.dtype]);
  data.set(tensor.data.subarray(0, data.length));
  return { ...tensor, shape, data };
}

/** The tensor with other numbers: JSON cannot tell them, so that they have names. */
function valued(tensor, kind, r) {
  const data = new Uint8Array(tensor.data);
  const view = new DataView(data.buffer);
  for (let k = 0; k < product(tensor.shape); k++) {
    if (tensor.dtype === 'F32')
      view.setFloat32(k * 4, { huge: 3e38, negative: -1, other: r.next() * 10, none: NaN }[kind], true);
    else if (tensor.dtype === 'I64')
      view.setBigInt64(
        k * 8,
        { huge: 2n ** 62n, negative: -1n, other: BigInt(r.int(1e6)), none: 5000n }[kind],
        true,
      );
    else data[k] = 255;
  }
  return { ...tensor, data };
}

const texts = [
  '',
  'null',
  '[]',
  '{',
  '{}',
  '1',
  '"x"',
  '-1',
  '__proto__',
  '../../..',
  '{"__proto__":{"x":1}}',
];

/** What becomes of a tensor: words, and what stands in its place. */
const edits = [
  () => ['left out', []],
  (tensor, r) => {
    const dtype = r.pick(Object.keys(sizes));
    return [
      `as ${dtype}`,
      [{ ...tensor, dtype, data: new Uint8Array(product(tensor.shape) * sizes[dtype]) }],
    ];
  },
  (tensor) => ['reversed', [{ ...tensor, shape: tensor.shape.toReversed() }]],
  (tensor) => [
    'shorter',
    [
      shaped(
        tensor,
        tensor.shape.map((size, d, { length }) => size - Number(d === length - 1)),
      ),
    ],
  ],
  (tensor) => [
    'longer',
    [
      shaped(
        tensor,
        tensor.shape.map((size, d) => size + Number(d === 0)),
      ),
    ],
  ],
  (tensor) => ['empty', [shaped(tensor, [0, ...tensor.shape.slice(1)])]],
  (tensor) => ['flat', [{ ...tensor, shape: [product(tensor.shape)] }]],
  (tensor) => ['a number', [shaped(tensor, [])]],
  (tensor) => ['of another axis', [{ ...tensor, shape: [1, ...tensor.shape] }]],
  (tensor, r) => {
    const kind = r.pick(['huge', 'negative', 'other', 'none']);
    return [`of ${kind} values`, [valued(tensor, kind, r)]];
  },
  (tensor, r) => [
    `with another`,
    [tensor, { ...tensor, name: r.pick(['other', '__proto__', `${tensor.name}.1`]) }],
  ],
];

async function read(model) {
  const file = await openSafetensors(join(fixtures, model, 'golden.safetensors'));
  const tensors = [];
  for (const [key, { dtype, shape }] of file.tensors)
    tensors.push({ name: key, dtype, shape: [...shape], data: new Uint8Array(await file.read(key)) });
  const metadata = { ...file.metadata };
  await file.close();
  return { tensors, metadata };
}

/** Case i of a model's tensors and metadata. */
function make(i, { tensors, metadata }) {
  const r = random(i * 31_337 + 5);
  const how = r.int(edits.length + 3);
  const k = r.int(tensors.length);
  if (how === edits.length) {
    const [key, text] = [
      r.pick([...Object.keys(metadata), 'recipe_options', 'kind', 'other']),
      r.pick(texts),
    ];
    return { what: `metadata ${key} ${text}`, tensors, metadata: { ...metadata, [key]: text } };
  }
  if (how === edits.length + 1) return { what: `${tensors[k].name} alone`, tensors: [tensors[k]], metadata };
  if (how === edits.length + 2) return { what: 'as it is', tensors, metadata, isSame: true };
  const [what, instead] = edits[how](tensors[k], r);
  const list = tensors.toSpliced(k, 1, ...instead);
  return { what: `${tensors[k].name} ${what}`, tensors: list, metadata, tensor: tensors[k], instead };
}

export function open() {
  const root = temporaryFolder('golden');
  const known = new Map();
  return async (model) => {
    const folder = join(root, model);
    if (!known.has(model)) {
      cpSync(join(fixtures, model), folder, { recursive: true });
      known.set(model, { folder, ...(await read(model)) });
    }
    return known.get(model);
  };
}

/** Whether the case put other values in the place of a float result, which no comparison may pass. */
function isSpoilt({ tensor, instead = [] }) {
  const [other] = instead;
  return (
    tensor?.dtype === 'F32' &&
    other?.dtype === 'F32' &&
    instead.length === 1 &&
    product(other.shape) === product(tensor.shape) &&
    String(other.shape) === String(tensor.shape) &&
    Buffer.compare(other.data, tensor.data) !== 0
  );
}

export async function run(i, { say, context }) {
  const model = random(i * 7 + 1).pick(models);
  const { folder, ...golden } = await context(model);
  const made = make(i, golden);
  say(`${model} ${made.what}`);
  await writeSafetensors(join(folder, 'golden.safetensors'), made.tensors, { metadata: made.metadata });
  const { checks } = await verify(folder);
  // A report without checks does not count as passed (`weft verify` fails on it).
  const isPassed = checks.length > 0 && checks.every(({ ok }) => ok);
  if (made.isSame && !isPassed) return { kind: 'wrong', message: 'fails as it is' };
  if (isPassed && isSpoilt(made)) return { kind: 'wrong', message: `passes: ${made.what}` };
  return undefined;
}
