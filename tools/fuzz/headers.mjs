// Headers of safetensors files: valid ones, and such with one thing wrong or odd. Verdicts of the reference implementation
// are stored (`header_verdicts.py`), so that what Weft accepts can be compared without Python.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSafetensors } from '../../packages/weights/dist/index.js';
import { random } from './random.mjs';

export const name = 'headers';
export const count = 24_000;

const stored = new URL('./__fixtures__/header-verdicts.txt', import.meta.url);
let bits;
/** Whether the reference accepts case i. */
export function isAccepted(i) {
  bits ??= Buffer.from(readFileSync(stored, 'latin1').trim(), 'base64');
  return ((bits[i >> 3] >> (i & 7)) & 1) === 1;
}

/** Where Weft is stricter on purpose; the README of @weft/weights lists them. */
const stricter = [
  /^The header starts with/,
  /^The header has the key .* twice/,
  /half of a surrogate pair/,
  /expected sizes from 0 whose product is below 2\^53/,
  // The parser of the reference takes a list for an object.
  /^The entry is \[/,
];

export function open() {
  const folder = mkdtempSync(join(tmpdir(), 'weft-headers-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function run(i, { say, context: folder }) {
  const { what, bytes } = make(i);
  say(what);
  const path = join(folder, `${i % 64}.safetensors`);
  writeFileSync(path, bytes);
  let file;
  try {
    file = await openSafetensors(path);
  } catch (error) {
    const message = error.message.split('\n')[0];
    if (isAccepted(i) && !stricter.some((pattern) => pattern.test(message)))
      return { kind: 'wrong', message: `only the reference accepts: ${message}` };
    throw error;
  }
  try {
    if (!isAccepted(i)) return { kind: 'wrong', message: 'only Weft accepts' };
    for (const [tensor, { offset, byteLength }] of file.tensors) {
      const data = await file.read(tensor);
      if (Buffer.compare(data, bytes.subarray(offset, offset + byteLength)) !== 0)
        return { kind: 'wrong', message: 'reads other bytes' };
    }
  } finally {
    await file.close();
  }
}

const bytesOf = {
  ...{
    F64: 8,
    F32: 4,
    F16: 2,
    BF16: 2,
    I64: 8,
    I32: 4,
    I16: 2,
    I8: 1,
    U8: 1,
    U16: 2,
    U32: 4,
    U64: 8,
    BOOL: 1,
  },
  ...{
    F8_E4M3: 1,
    F8_E5M2: 1,
    F8_E4M3FNUZ: 1,
    F8_E5M2FNUZ: 1,
    F8_E8M0: 1,
    C64: 8,
    F4: 0.5,
    F6_E2M3: 0.75,
    F6_E3M2: 0.75,
  },
};
const names = [
  'a',
  'b.weight',
  'w',
  'x.y.z',
  'ä',
  '',
  '__proto__',
  'constructor',
  'toString',
  '\u0000',
  '日本',
  '😀',
];

/** A valid file's parts. */
function base(r) {
  const entries = [];
  let at = 0;
  for (let k = r.int(6); k > 0; k--) {
    const dtype = r.pick(Object.keys(bytesOf));
    const shape = Array.from({ length: r.int(4) }, () => r.int(4));
    const size = shape.reduce((product, side) => product * side, 1) * bytesOf[dtype];
    if (!Number.isInteger(size)) continue;
    entries.push([r.pick(names) + (r.chance(0.8) ? k : ''), { dtype, shape, data_offsets: [at, at + size] }]);
    at += size;
  }
  return { entries, length: at, metadata: r.chance(0.5) ? { format: 'pt', k: 'v' } : undefined };
}

/** Text of a header; entries and metadata may be text already. */
function textOf({ entries, metadata }, r) {
  const asText = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
  const parts = entries.map(([key, entry]) => `${JSON.stringify(key)}:${asText(entry)}`);
  if (metadata !== undefined) parts.splice(r.int(parts.length + 1), 0, `"__metadata__":${asText(metadata)}`);
  return `{${parts.join(',')}}`;
}

function packed(text, length, stated) {
  const header = Buffer.from(text);
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt.asUintN(64, stated ?? BigInt(header.length)));
  return Buffer.concat(
    [start, header, Buffer.from({ length }, (_, i) => i * 37)].map((one) => Buffer.from(one)),
  );
}

const numbers =
  '-1 -0 0 1 1.5 1.0 1e0 10e-1 1e400 1E3 9007199254740991 9007199254740992 9007199254740993 18446744073709551615 18446744073709551616 4294967296 "1" null true [] {} [1] "NaN" NaN Infinity 01 +1 0x10 "" [[[]]] -9223372036854775808 1152921504606846976 4611686018427387904'.split(
    ' ',
  );
const dtypes =
  '"F8" "F4" "F6" "F6_E2M3" "F6_E3M2" "F8_E8M0" "F8_E4M3FNUZ" "F8_E5M2FNUZ" "F8_E4M3FN" "C64" "C128" "I4" "f32" "F32 " "__proto__" "constructor" "" null 1 [] {} "BOOL" "U64"'.split(
    ' ',
  );
const lengths = (text, data) => [
  ...[0n, 1n, 2n, BigInt(text.length - 1), BigInt(text.length + 1), BigInt(text.length + data)],
  ...[
    BigInt(text.length + data + 1),
    100_000_000n,
    100_000_001n,
    2n ** 31n,
    2n ** 32n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n - 1n,
  ],
];
const metadatas =
  'null {} [] "x" {"a":1} {"a":null} {"a":{"b":"c"}} {"a":"b","a":"c"} {"__proto__":"x"} {"":""} {"a":["x"]} 1 {"a":"\\ud800"} {"\\udc00":"a"} {"a":"\\ud83d\\ude00"}'.split(
    ' ',
  );
const halves = [
  '\\ud800',
  'a\\uDBFFb',
  '\\udfff',
  '\\ud83d\\ude00',
  '\\ud800\\ud800',
  '\\n',
  'a\\u0000b',
  '../../etc',
  '__metadata__',
  'x'.repeat(10_000),
];

const edits = {
  valid: (r, one) => packed(textOf(one, r), one.length),
  'flipped bits': (r, one) => {
    const bytes = packed(textOf(one, r), one.length);
    for (let k = 1 + r.int(4); k > 0; k--) bytes[r.int(bytes.length)] ^= 1 << r.int(8);
    return bytes;
  },
  'cut off': (r, one) => {
    const bytes = packed(textOf(one, r), one.length);
    return bytes.subarray(0, r.int(bytes.length + 1));
  },
  'bytes after the end': (r, one) =>
    Buffer.concat([packed(textOf(one, r), one.length), Buffer.alloc(1 + r.int(20))]),
  'another length': (r, one) => {
    const text = textOf(one, r);
    return packed(text, one.length, r.pick(lengths(text, one.length)));
  },
  'a byte more': (r, one) => {
    const bytes = packed(textOf(one, r), one.length);
    const at = r.int(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), Buffer.from([r.int(256)]), bytes.subarray(at)]);
  },
  'a byte less': (r, one) => {
    const bytes = packed(textOf(one, r), one.length);
    const at = r.int(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
  },
  'letters of JSON': (r, one) => {
    const bytes = packed(textOf(one, r), one.length);
    for (let k = 1 + r.int(12); k > 0; k--)
      bytes[8 + r.int(bytes.length - 8)] = r.pick([...'"{}[],:09\\ -'].map((letter) => letter.charCodeAt(0)));
    return bytes;
  },
  dtype: (r, one) => withField(r, one, { dtype: r.pick(dtypes) }),
  shape: (r, one) => withField(r, one, { shape: withNumber(r, entryOf(r, one).shape) }),
  offsets: (r, one) => withField(r, one, { data_offsets: withNumber(r, entryOf(r, one).data_offsets) }),
  'a field': (r, one) => withField(r, one, { [r.pick(['dtype', 'shape', 'data_offsets'])]: r.pick(numbers) }),
  'a field less': (r, one) => withField(r, one, { [r.pick(['dtype', 'shape', 'data_offsets'])]: undefined }),
  'a field more': (r, one) =>
    withField(
      r,
      one,
      {},
      `,"${r.pick(['extra', '__proto__', 'dtype', 'shape', 'data_offsets'])}":${r.pick(numbers)}`,
    ),
  'a list for an entry': (r, one) => {
    const { dtype, shape, data_offsets: offsets } = entryOf(r, one);
    one.entries[one.at][1] = JSON.stringify(r.pick([[dtype, shape, offsets], [], [dtype, shape], [1]]));
    return packed(textOf(one, r), one.length);
  },
  'a name twice': (r, one) => {
    entryOf(r, one);
    one.entries.push([one.entries[one.at][0], one.entries[one.at][1]]);
    return packed(textOf(one, r), one.length);
  },
  'two in one place': (r, one) => {
    one.entries.push(['share', { ...entryOf(r, one) }]);
    return packed(textOf(one, r), one.length);
  },
  'a gap or overlap': (r, one) => {
    const entry = entryOf(r, one);
    const by = r.pick([-2, -1, 1, 2, 4, 8]);
    entry.data_offsets = entry.data_offsets.map((offset) => offset + by);
    return packed(textOf(one, r), one.length + (r.chance(0.5) ? Math.max(0, by) : 0));
  },
  metadata: (r, one) => packed(textOf({ ...one, metadata: r.pick(metadatas) }, r), one.length),
  'another order': (r, one) => packed(textOf({ ...one, entries: one.entries.toReversed() }, r), one.length),
  'white space': (r, one) => {
    const text = textOf(one, r);
    const forms = [
      ` ${text}`,
      `\n${text}`,
      `${text} `,
      `${text}    `,
      `${text}\n`,
      `${text}\0`,
      `\ufeff${text}`,
      `${text}{}`,
    ];
    const more = [
      `${text},`,
      `[${text}]`,
      text.replace('{', '{ '),
      text.replaceAll(':', ' : '),
      `${text.slice(0, -1)},}`,
    ];
    return packed(r.pick([...forms, ...more, text.replaceAll('"', "'"), `/**/${text}`]), one.length);
  },
  'bytes that are no UTF-8': (r, one) => {
    const text = Buffer.from(textOf(one, r));
    const at = r.int(text.length);
    const bad = r.pick([[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf8], [0xe2, 0x28, 0xa1], [0x80]]);
    return packed(Buffer.concat([text.subarray(0, at), Buffer.from(bad), text.subarray(at)]), one.length);
  },
  depth: (r, one) => {
    const depth = r.pick([100, 127, 128, 129, 1000, 20_000]);
    const deep = '['.repeat(depth) + ']'.repeat(depth);
    const text = textOf(one, r);
    const within = `${text.slice(0, -1)}${text.length > 2 ? ',' : ''}"deep":${deep}}`;
    const forms = [
      within,
      `{"a":{"dtype":"U8","shape":${deep},"data_offsets":[0,1]}}`,
      `{"__metadata__":{"a":${deep}}}`,
    ];
    return packed(r.pick([...forms, `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`]), one.length);
  },
  'an empty tensor': (r, one) => {
    const shape = r.pick([
      [0],
      [0, 5],
      [3, 0],
      [0, 4294967296],
      [4294967296, 4294967296, 0],
      [0, 4294967296, 4294967296],
    ]);
    const place = r.pick([0, one.length, 1, one.length + 1]);
    one.entries.push(['zero', { dtype: 'F32', shape, data_offsets: [place, place] }]);
    return packed(textOf(one, r), one.length);
  },
  'a name': (r, one) => {
    entryOf(r, one);
    const placed = '\u0001name\u0001';
    one.entries[one.at][0] = placed;
    return packed(
      textOf(one, r).replace(JSON.stringify(placed).slice(1, -1), () => r.pick(halves)),
      one.length,
    );
  },
};

/** One of the entries, to be changed; there is one at least. */
function entryOf(r, one) {
  if (one.entries.length === 0) {
    one.entries.push(['t', { dtype: 'U8', shape: [], data_offsets: [0, 1] }]);
    one.length = 1;
  }
  one.at ??= r.int(one.entries.length);
  return one.entries[one.at][1];
}

/** The file with fields of one entry in other words; `undefined` leaves a field out. */
function withField(r, one, words, more = '') {
  const entry = entryOf(r, one);
  const fields = Object.entries(entry).flatMap(([key, value]) => {
    const text = key in words ? words[key] : JSON.stringify(value);
    return text === undefined ? [] : [`"${key}":${text}`];
  });
  one.entries[one.at][1] = `{${fields.join(',')}${more}}`;
  return packed(textOf(one, r), one.length);
}

/** A list of numbers with one of them in other words, or one more. */
function withNumber(r, list) {
  const words = list.map(String);
  if (words.length === 0 || r.chance(0.3)) words.push(r.pick(numbers));
  else words[r.int(words.length)] = r.pick(numbers);
  return `[${words}]`;
}

/** Case i: what it is, and the bytes of its file. */
export function make(i) {
  const r = random(i * 2654435761 + 17);
  const one = base(r);
  const what = r.pick(Object.keys(edits));
  return { what, bytes: edits[what](r, one) };
}
