import { mkdtemp, readFile, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WeightError } from '@weft/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseHeader } from './header.js';
import { openSafetensors } from './safetensors.js';

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'weft-safetensors-')));
});
afterAll(() => rm(folder, { recursive: true }));

const fixture = (name: string): string => fileURLToPath(new URL(`./__fixtures__/${name}`, import.meta.url));

/** A file with the given header text and bytes, whatever they are. */
const raw = (header: string | Uint8Array, dataLength = 0, statedLength?: bigint): Buffer => {
  const text = Buffer.from(header as string);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(statedLength ?? BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(dataLength, 7)]);
};

let written = 0;
const save = async (bytes: Uint8Array): Promise<string> => {
  const path = join(folder, `${written++}.safetensors`);
  await writeFile(path, bytes);
  return path;
};

const entry = (overrides: Record<string, unknown> = {}): string =>
  JSON.stringify({ dtype: 'U8', shape: [4], data_offsets: [0, 4], ...overrides });

describe('a hostile file', () => {
  const nested = 200_000;
  it.each<[string, Buffer, RegExp]>([
    ['is empty', Buffer.alloc(0), /0 bytes, expected at least the 8/],
    ['is shorter than the length of a header', Buffer.alloc(7), /7 bytes, expected at least the 8/],
    ['states a header of 0 bytes', raw('', 4), /header of 0 bytes, expected 1 to 4/],
    ['states a header beyond its end', raw('{}', 0, 3n), /header of 3 bytes, expected 1 to 2/],
    [
      'states a header of 2^64 - 1 bytes',
      raw('{}', 0, 2n ** 64n - 1n),
      /header of 18446744073709551615 bytes/,
    ],
    ['has a header that is not UTF-8', raw(Buffer.from([0x7b, 0xff, 0x7d])), /not UTF-8/],
    ['has a header that is not JSON', raw('{"a":'), /not a JSON object/],
    ['has bytes after the JSON', raw('{}\0\0'), /not a JSON object/],
    ['has a list as header', raw('[]'), /starts with byte 0x5b, expected '{'/],
    ['has a space before the header', raw(' {}'), /starts with byte 0x20, expected '{'/],
    ['has a byte order mark', raw('\ufeff{}'), /starts with byte 0xef/],
    [
      'nests its header deeply',
      raw(`{"a":${'['.repeat(nested)}${']'.repeat(nested)}}`),
      /expected an object/,
    ],
    ['names a tensor twice', raw(`{"a":${entry()},"a":${entry()}}`, 4), /key "a" twice/],
    [
      'names a tensor twice in two spellings',
      raw(`{"a":${entry()},"\\u0061" : ${entry()}}`, 4),
      /key "a" twice/,
    ],
    ['states a dtype twice', raw('{"a":{"dtype":"U8","dtype":"I8"}}'), /key "dtype" twice/],
    ['has an entry that is not an object', raw('{"a":[1]}'), /The entry is \[1\]/],
    ['has an entry that is null', raw('{"a":null}'), /The entry is null/],
    ['has an unknown dtype', raw(`{"a":${entry({ dtype: 'U7' })}}`, 4), /dtype is "U7"/],
    ['has a dtype of the prototype', raw(`{"a":${entry({ dtype: 'toString' })}}`, 4), /dtype is "toString"/],
    ['has no dtype', raw('{"a":{"shape":[],"data_offsets":[0,0]}}'), /dtype is nothing/],
    ['has no shape', raw(`{"a":${entry({ shape: null })}}`, 4), /shape is null/],
    ['has a negative size', raw(`{"a":${entry({ shape: [-4] })}}`, 4), /shape is \[-4\]/],
    ['has the size -0', raw('{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}'), /written as -0/],
    [
      'has a number that no double holds',
      raw('{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"extra":{"b":1e400}}}', 1),
      /written as 1e400/,
    ],
    ['has a size that is not an integer', raw(`{"a":${entry({ shape: [0.5] })}}`, 4), /shape is \[0.5\]/],
    ['has a size that is text', raw(`{"a":${entry({ shape: ['4'] })}}`, 4), /shape is \["4"\]/],
    [
      'has a size above 2^53',
      raw('{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,4]}}', 4),
      /shape/,
    ],
    ['has sizes whose product overflows', raw(`{"a":${entry({ shape: [2 ** 40, 2 ** 40] })}}`, 4), /product/],
    ['has an overflow that a 0 hides', raw(`{"a":${entry({ shape: [2 ** 40, 2 ** 40, 0] })}}`, 0), /product/],
    ['has no offsets', raw(`{"a":${entry({ data_offsets: 3 })}}`, 4), /data_offsets is 3/],
    ['has three offsets', raw(`{"a":${entry({ data_offsets: [0, 2, 4] })}}`, 4), /data_offsets is \[0,2,4\]/],
    ['has a negative offset', raw(`{"a":${entry({ data_offsets: [-4, 0] })}}`, 4), /two integers from 0/],
    [
      'has an offset that is text',
      raw(`{"a":${entry({ data_offsets: ['0', '4'] })}}`, 4),
      /two integers from 0/,
    ],
    [
      'ends a tensor before it begins',
      raw(`{"a":${entry({ data_offsets: [4, 0] })}}`, 4),
      /ends at 0, before/,
    ],
    ['is cut off', raw(`{"a":${entry()}}`, 3), /ends at 4, but the file has 3 bytes[^]*Download it again/],
    [
      'has another size than the shape',
      raw(`{"a":${entry({ dtype: 'F16' })}}`, 4),
      /spans 4 bytes, expected 8/,
    ],
    [
      'overlaps two tensors',
      raw(`{"a":${entry()},"b":${entry({ data_offsets: [2, 6] })}}`, 6),
      /inside tensor "a"/,
    ],
    ['stores two tensors in one place', raw(`{"a":${entry()},"b":${entry()}}`, 4), /inside tensor "a"/],
    [
      'hides an empty tensor in another',
      raw(`{"a":${entry()},"b":${entry({ shape: [0], data_offsets: [2, 2] })}}`, 4),
      /inside/,
    ],
    [
      'starts with a gap',
      raw(`{"a":${entry({ data_offsets: [2, 6] })}}`, 6),
      /the header ends at 0: 2 bytes belong to no/,
    ],
    [
      'has a gap',
      raw(`{"a":${entry()},"b":${entry({ data_offsets: [5, 9] })}}`, 9),
      /tensor "a" ends at 4: 1 bytes/,
    ],
    [
      'has bytes after the last tensor',
      raw(`{"a":${entry()}}`, 5),
      /tensors end at 4[^]*1 bytes belong to no tensor/,
    ],
    ['has metadata that is not an object', raw('{"__metadata__":"x"}'), /__metadata__ is "x"/],
    [
      'has metadata with a value that is null',
      raw('{"__metadata__":{"a":null}}'),
      /__metadata__ is \{"a":null\}/,
    ],
    ...['4e0', '4.0', '4E0', '40e-1', '0.4e1'].map((size): [string, Buffer, RegExp] => [
      `has the size ${size}`,
      raw(`{"a":{"dtype":"U8","shape":[${size}],"data_offsets":[0,4]}}`, 4),
      /written as (-|\d)[^ ]*, expected sizes and offsets of digits only/,
    ]),
    ...['4e0', '4.0', '4E+0'].map((offset): [string, Buffer, RegExp] => [
      `has the offset ${offset}`,
      raw(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[ 0 , ${offset} ]}}`, 4),
      /written as (-|\d)[^ ]*, expected sizes and offsets of digits only/,
    ]),
    ...['\\ud800', 'a\\uDBFFb', '\\udc00', '\\ud800\\ud800', '\\udc00\\ud800'].flatMap(
      (text): [string, Buffer, RegExp][] => [
        [`has the name "${text}"`, raw(`{"${text}":${entry()}}`, 4), /half of a surrogate pair/],
        [`has the metadata "${text}"`, raw(`{"__metadata__":{"a":"${text}"}}`), /half of a surrogate pair/],
        [
          `has the metadata key "${text}"`,
          raw(`{"__metadata__":{"${text}":"a"}}`),
          /half of a surrogate pair/,
        ],
      ],
    ),
    ...(['F4', 'F6_E2M3', 'F6_E3M2'] as const).map((dtype): [string, Buffer, RegExp] => [
      `ends ${dtype} within a byte`,
      raw(`{"a":${entry({ dtype, shape: [7] })}}`, 4),
      new RegExp(`7 elements of ${dtype} end within a byte`),
    ]),
    ...['F8', 'F8_E4M3FN', 'F6', 'F4_E2M1', 'C128', 'I4'].map((dtype): [string, Buffer, RegExp] => [
      `has the dtype ${dtype}`,
      raw(`{"a":${entry({ dtype })}}`, 4),
      new RegExp(`dtype is "${dtype}", expected a type of the format`),
    ]),
    ['has metadata that is a number', raw('{"__metadata__":{"step":3}}'), /__metadata__ is \{"step":3\}/],
  ])('that %s is refused', async (_, bytes, message) => {
    const path = await save(bytes);
    const error = await openSafetensors(path).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WeightError);
    expect((error as WeightError).message).toMatch(message);
    expect((error as WeightError).where).toContain(path);
    expect((error as WeightError).hint).toMatch(/\.$/);
  });

  it('that states more than 100 MB of header is refused before anything is read', async () => {
    const path = await save(raw('{}', 0, 100_000_001n));
    await truncate(path, 300_000_000);
    await expect(openSafetensors(path)).rejects.toThrow(/header of 100000001 bytes, expected 1 to 100000000/);
  });

  it('has its tensor in the place of the error, with control characters escaped and cut to size', async () => {
    const name = `\u001b[31m${'x'.repeat(5000)}`;
    const error = await openSafetensors(await save(raw(JSON.stringify({ [name]: 3 })))).catch(
      (e: Error) => e,
    );
    expect((error as Error).message).toContain('tensor "\\u001b[31mxxx');
    expect((error as Error).message.length).toBeLessThan(600);
  });

  it('with flipped bits in its header raises a WeightError or opens, nothing else', async () => {
    const whole = await readFile(fixture('every-dtype.safetensors'));
    const length = Number(whole.readBigUInt64LE());
    let state = 12345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    let refused = 0;
    for (let round = 0; round < 5000; round++) {
      const header = Buffer.from(whole.subarray(8, 8 + length));
      for (let flips = 1 + random(3); flips > 0; flips--) header[random(length)]! ^= 1 << random(8);
      try {
        parseHeader(header, whole.length - 8 - length, 'flipped.safetensors');
      } catch (error) {
        if (!(error instanceof WeightError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
    for (let round = 0; round < 200; round++) {
      const bytes = Buffer.from(whole);
      bytes[random(8 + length)] = random(256);
      const path = await save(bytes);
      const file = await openSafetensors(path).catch((error: unknown) => {
        if (!(error instanceof WeightError)) throw error;
      });
      for (const [name, { byteLength }] of file?.tensors ?? []) {
        expect((await file!.read(name)).byteLength).toBe(byteLength);
      }
      await file?.close();
    }
  });
});
