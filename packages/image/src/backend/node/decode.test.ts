import { InputError } from '@weft/errors';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readBytes, readJson, sha256 } from '../../../test/read-fixture.js';
import { decodeImage } from './decode.js';

interface Case {
  readonly file: string;
  readonly size: [number, number];
  /** Of the samples after `convert('RGB')`. */
  readonly sha256: string;
  /** Of the samples after compositing on white. */
  readonly white?: string;
  /** The samples, for a format whose decoders may differ by a level. */
  readonly samples?: string;
}

const cases = readJson<Case[]>('decode.json');
const exact = cases.filter(({ samples }) => samples === undefined);
const folder = new URL('../../__fixtures__/decode/', import.meta.url);
const bytesOf = (file: string) => readBytes(`decode/${file}`);
const rgb = cases.find(({ file }) => file === 'rgb.png')!;

/** A PNG header that promises a picture of these sides. */
function pngHeader(width: number, height: number): Uint8Array {
  const bytes = bytesOf('rgb.png').slice();
  const view = new DataView(bytes.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  let crc = ~0;
  for (const byte of bytes.subarray(12, 29)) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  view.setUint32(29, ~crc >>> 0);
  return bytes;
}

describe('decodeImage, against Pillow', () => {
  it.each(exact)('gives the samples of Pillow: $file', async ({ file, size, sha256: expected }) => {
    const picture = await decodeImage(bytesOf(file));
    expect([picture.width, picture.height, picture.channels]).toEqual([...size, 3]);
    expect(sha256(picture.data)).toBe(expected);
  });

  it.each(cases.filter(({ white }) => white))('lays the picture on white: $file', async ({ file, white }) => {
    expect(sha256((await decodeImage(bytesOf(file), { alpha: 'white' })).data)).toBe(white);
  });

  // libheif and libavif round YUV to RGB differently.
  it.each(cases.filter(({ samples }) => samples))(
    'is within one level of Pillow: $file',
    async ({ file, samples }) => {
      const expected = Buffer.from(samples!, 'base64');
      const { data } = await decodeImage(bytesOf(file));
      expect(data.length).toBe(expected.length);
      expect(Math.max(...data.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThanOrEqual(1);
    },
  );
});

describe('decodeImage, sources', () => {
  const bytes = bytesOf('rgb.png');
  const base64 = Buffer.from(bytes).toString('base64');
  const url = new URL('rgb.png', folder);
  it.each([
    ['a path', fileURLToPath(url)],
    ['a file URL', url],
    ['a file URL as text', url.href],
    ['a base64 data URL', `data:image/png;base64,${base64}`],
    [
      'a percent-encoded data URL',
      `data:,${Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')}`,
    ],
    ['a buffer', Buffer.from(bytes)],
    ['a view into a larger array', new Uint8Array([9, 9, ...bytes, 9]).subarray(2, 2 + bytes.length)],
    ['an ArrayBuffer', bytes.slice().buffer],
    ['a blob', new Blob([bytes.slice()])],
  ])('reads %s', async (_, source) => {
    expect(sha256((await decodeImage(source)).data)).toBe(rgb.sha256);
  });

  it.each([
    ['a file that does not exist', pathToFileURL('/nowhere/cat.png'), /There is no file file:.*cat\.png/],
    ['a folder', fileURLToPath(folder), /is not a file/],
    [
      'a file URL of another machine',
      'file://elsewhere/cat.png%2F',
      /not a file URL|There is no file|cannot be read/,
    ],
    ['a path with a zero byte', 'a\0b', /cannot be read/],
    [
      'the network',
      'https://example.com/cat.png',
      /https:\/\/example\.com\/cat\.png is on the network[^]*Download it first and give the path/,
    ],
    ['a data URL without data', 'data:image/png;base64', /no comma/],
    ['no bytes', new Uint8Array(0), /is empty/],
    ['an empty data URL', 'data:image/png;base64,', /is empty/],
    ['nothing', undefined as unknown as string, /found undefined/],
    ['text', new TextEncoder().encode('this is not an image'), /a buffer of 20 bytes is not an image/],
    [
      'a vector drawing',
      new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'),
      /not read/,
    ],
    ['a JPEG cut in its header', bytesOf('cut.jpg').subarray(0, 100), /header is damaged/],
    ['a cut JPEG', bytesOf('cut.jpg'), /damaged or incomplete jpeg/],
    ['a cut PNG', bytesOf('cut.png'), /damaged or incomplete png/],
    ['a cut WebP', bytesOf('cut.webp'), /damaged/],
    ['a cut GIF', bytesOf('cut.gif'), /is a GIF that ends before its pixels do/],
    ['only the start of a header', bytesOf('rgb.png').subarray(0, 20), /header is damaged/],
  ])('refuses %s with a message that names it', async (_, source, message) => {
    const result = decodeImage(source);
    await expect(result).rejects.toBeInstanceOf(InputError);
    await expect(result).rejects.toThrow(message);
  });

  it('refuses a PNG whose samples were changed', async () => {
    const broken = bytes.slice();
    for (let i = 200; i < 260; i++) broken[i] = broken[i]! ^ 255;
    await expect(decodeImage(broken)).rejects.toThrow(InputError);
  });
});

describe('decodeImage, limits', () => {
  it('looks at the size of files, blobs and data URLs before it reads them', async () => {
    const bytes = bytesOf('rgb.png');
    const limit = { maxBytes: bytes.length - 1 };
    const sources = [
      bytes,
      new Blob([bytes.slice()]),
      new URL('rgb.png', folder),
      `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`,
    ];
    for (const source of sources) await expect(decodeImage(source, limit)).rejects.toThrow(/raise maxBytes/);
    expect((await decodeImage(bytes, { maxBytes: bytes.length })).width).toBe(37);
  });

  it('refuses a header that promises too many pixels without decoding', async () => {
    await expect(decodeImage(pngHeader(60_000, 60_000))).rejects.toThrow(
      /60000x60000 pixels, more than the 100000000/,
    );
    await expect(decodeImage(bytesOf('rgb.png'), { maxPixels: 37 * 29 - 1 })).rejects.toThrow(
      /raise maxPixels/,
    );
    expect((await decodeImage(bytesOf('rgb.png'), { maxPixels: 37 * 29 })).height).toBe(29);
  });

  it('stops when its signal is aborted', async () => {
    const before = AbortSignal.abort(new Error('enough'));
    await expect(decodeImage(bytesOf('rgb.png'), { signal: before })).rejects.toThrow('enough');
    const controller = new AbortController();
    const running = decodeImage(new URL('rgb.png', folder), { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
  });

  it('refuses an alpha rule that it does not know', async () => {
    await expect(decodeImage(bytesOf('rgb.png'), { alpha: 'black' as 'drop' })).rejects.toThrow(
      /drop or white/,
    );
  });
});
