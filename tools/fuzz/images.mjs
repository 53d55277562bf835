// Image files with other bytes, cut off, spliced and with other sizes in their headers, and pictures of extreme proportions
// through the processors of all fixtures. A picture that is read is whole, and its plan and its pixels agree.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { decodeImage } from '../../packages/image/dist/index.js';
import { modelOf } from '../../packages/models/dist/index.js';
import { readCheckpointFiles } from '../../packages/runtime/dist/index.js';
import { senseOf } from '../../packages/spec/dist/index.js';
import { fixtures, temporaryFolder } from './inputs/copies.mjs';
import { random } from './random.mjs';

export const name = 'images';
export const count = 4000;

const decodeFolder = fileURLToPath(new URL('../../packages/image/src/__fixtures__/decode', import.meta.url));

/** A BMP of 24 bits, 7 × 5. */
function bmp() {
  const bytes = Buffer.alloc(54 + 24 * 5, 90);
  bytes.write('BM');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(0, 6);
  for (const [at, value] of [
    [10, 54],
    [14, 40],
    [18, 7],
    [22, 5],
    [30, 0],
    [34, 120],
    [38, 0],
    [42, 0],
    [46, 0],
    [50, 0],
  ])
    bytes.writeUInt32LE(value, at);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  return bytes;
}

const plain = (head, length) => Buffer.concat([Buffer.from(head), Buffer.alloc(length, 130)]);
const made = {
  'rgb.bmp': bmp(),
  'rgb.ppm': plain('P6\n# words\n7 5\n255\n', 105),
  'grey.pgm': plain('P5 7 5 65535\n', 70),
  'bits.pbm': plain('P4\n7 5\n', 5),
  'text.ppm': Buffer.from(`P3 2 1 255 ${'1 2 3 '.repeat(2)}`),
};
/** Where formats keep width and height, as far as one offset tells: bytes, little endian or not. */
const sizes = {
  png: (b, value, k) => {
    b.writeUInt32BE(value >>> 0, 16 + 4 * k);
    b.writeUInt32BE(crc32(b.subarray(12, 29)), 29);
  },
  gif: (b, value, k) => b.writeUInt16LE(value & 0xffff, 6 + 2 * k),
  bmp: (b, value, k) => b.writeUInt32LE(value >>> 0, 18 + 4 * k),
  jpg: (b, value, k) => {
    const at = b.findIndex((byte, j) => byte === 0xff && [0xc0, 0xc2].includes(b[j + 1]) && j < b.length - 9);
    if (at >= 0) b.writeUInt16BE(value & 0xffff, at + 5 + 2 * k);
  },
  webp: (b, value, k) => {
    const [extended, lossy] = [b.indexOf('VP8X'), b.indexOf('VP8 ')];
    if (extended > 0) b.writeUIntLE((value >>> 0) & 0xffffff, extended + 12 + 3 * k, 3);
    else if (lossy > 0) b.writeUInt16LE(value & 0x3fff, lossy + 14 + 2 * k);
  },
  tif: (b, value, k) => {
    const isLittle = b[0] === 0x49;
    const [u16, u32] = isLittle ? ['readUInt16LE', 'readUInt32LE'] : ['readUInt16BE', 'readUInt32BE'];
    const directory = b[u32](4);
    // Width, height, bits, compression, colours, strips: the tags in which sizes hide.
    const tags = [256, 257, 258, 259, 262, 273, 277, 278, 279];
    for (let j = 0; j < b[u16](directory); j++) {
      const at = directory + 2 + 12 * j;
      if (tags.indexOf(b[u16](at)) % 2 === k)
        b[isLittle ? 'writeUInt32LE' : 'writeUInt32BE'](value >>> 0, at + 8);
    }
  },
};
const edges = [0, 1, 7, 9999, 10_000, 20_000, 65_500, 65_535, 2 ** 24 - 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/** Case i of the files: its words, its bytes and the name it came from. */
function makeFile(r, seeds) {
  const file = r.pick([...seeds.keys()]);
  const bytes = Buffer.from(seeds.get(file));
  const edits = [
    () => ['as it is', bytes],
    () => ['cut off', bytes.subarray(0, r.int(bytes.length))],
    () => {
      for (let k = r.int(20); k >= 0; k--) bytes[r.int(bytes.length)] ^= 1 << r.int(8);
      return ['other bits', bytes];
    },
    () => {
      for (let k = r.int(4); k >= 0; k--)
        bytes[r.int(Math.min(bytes.length, 200))] = r.pick([0, 1, 127, 128, 255]);
      return ['other bytes at the beginning', bytes];
    },
    () => {
      const other = seeds.get(r.pick([...seeds.keys()]));
      return [
        'spliced',
        Buffer.concat([bytes.subarray(0, r.int(bytes.length)), other.subarray(r.int(other.length))]),
      ];
    },
    () => {
      const at = r.int(bytes.length);
      return ['a piece left out', Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + r.int(50))])];
    },
    () => ['more behind', Buffer.concat([bytes, Buffer.alloc(r.int(500), r.int(256))])],
    () => {
      const value = r.pick(edges);
      const set = sizes[file.split('.').at(-1)];
      if (set) set(bytes, value, r.int(2));
      else {
        // The plain formats write them as text.
        const text = bytes.toString('latin1').replace(/7 5/, `${value} ${r.pick(edges)}`);
        return [`of size ${value}`, Buffer.from(text, 'latin1')];
      }
      return [`of size ${value}`, bytes];
    },
  ];
  const [what, content] = r.pick([...edits, edits[2], edits[7]])();
  return { what: `${file} ${what}`, bytes: content };
}

const extremes = [
  ...[
    [1, 1],
    [1, 2],
    [2, 1],
    [1, 2000],
    [2000, 1],
    [2, 20_000],
    [20_000, 2],
    [1, 65_000],
    [3, 997],
  ],
  ...[
    [997, 3],
    [1500, 1501],
    [27, 29],
    [336, 337],
    [4000, 20],
    [13, 5000],
  ],
];

export async function open() {
  const seeds = new Map(
    readdirSync(decodeFolder).map((file) => [file, readFileSync(join(decodeFolder, file))]),
  );
  for (const [file, bytes] of Object.entries(made)) seeds.set(file, bytes);
  const processors = [];
  for (const model of readdirSync(fixtures).filter((one) => !one.startsWith('text-'))) {
    const { config, recipe } = await readCheckpointFiles(join(fixtures, model));
    const processor = senseOf(await modelOf(config, recipe), 'image')?.processor;
    if (processor) processors.push({ model, processor });
  }
  return { seeds, processors, root: temporaryFolder('images') };
}

export async function run(i, { say, context: { seeds, processors, root } }) {
  const r = random(i * 7919 + 3);
  if (r.chance(0.1)) return runProcessor(r, say, processors);
  const { what, bytes } = makeFile(r, seeds);
  say(what);
  const path = join(root, 'picture.txt');
  const sources = [
    () => bytes,
    () => new Blob([bytes]),
    () => `data:image/png;base64,${bytes.toString('base64')}`,
    () => {
      writeFileSync(path, bytes);
      return path;
    },
  ];
  const { width, height, channels, data } = await decodeImage(r.pick(sources)());
  const isWhole = channels === 3 && width >= 1 && height >= 1 && data.length === width * height * 3;
  return isWhole ? undefined : { kind: 'wrong', message: `${width}x${height} of ${data.length} samples` };
}

function runProcessor(r, say, processors) {
  const { model, processor } = r.pick(processors);
  const [width, height] = r.pick(extremes);
  say(`${model}, a picture of ${width}x${height}`);
  const data = new Uint8Array(width * height * 3).fill(1 + r.int(255));
  const [index, total] = r.chance(0.5) ? [0, 1] : [1, 3];
  const placement = processor.place({ width, height }, index, total);
  if (!(Number.isSafeInteger(placement.tokens) && placement.tokens >= 1))
    return { kind: 'wrong', message: `${placement.tokens} tokens` };
  // Pixels of many tiles take long and tell nothing new.
  if (placement.tokens > 4000) return undefined;
  const { inputs } = processor.process([{ width, height, channels: 3, data }], [placement]);
  for (const [key, tensor] of Object.entries(inputs)) {
    const size = tensor.shape.reduce((a, b) => a * b, 1);
    if (tensor.data.length !== size)
      return { kind: 'wrong', message: `${key} has ${tensor.data.length} of ${size} values` };
    if (tensor.data instanceof Float32Array && !tensor.data.every(Number.isFinite))
      return { kind: 'wrong', message: `${key} has values that are no numbers` };
  }
  return undefined;
}
