import { InputError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { readBytes, readJson, sha256 } from '../test/read-fixture.js';
import { decodeImage } from './backend/node/index.js';

/** Written by `tools/golden/plain_formats.py`. */
interface Case {
  readonly file: string;
  /** The file itself, base64. */
  readonly data: string;
  /** Absent if Pillow refuses it. */
  readonly size?: [number, number];
  readonly sha256?: string;
  readonly white?: string;
}

const cases = readJson<Case[]>('plain.json');
const readable = cases.filter(({ size }) => size);
const bytesOf = ({ data }: Pick<Case, 'data'>): Uint8Array => Uint8Array.from(Buffer.from(data, 'base64'));
const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

describe('GIF, BMP, PNM and float TIFF, against Pillow', () => {
  it.each(['gif', 'bmp', 'pnm', 'float_tiff'])('give the samples of Pillow: %s', async (kind) => {
    const own = readable.filter(({ file }) => file.startsWith(kind));
    expect(own.length).toBeGreaterThanOrEqual(10);
    for (const one of own) {
      const picture = await decodeImage(bytesOf(one));
      expect([picture.width, picture.height], one.file).toEqual(one.size);
      expect(sha256(picture.data), one.file).toBe(one.sha256);
      const white = await decodeImage(bytesOf(one), { alpha: 'white' });
      expect(sha256(white.data), `${one.file} on white`).toBe(one.white);
    }
  });

  it('are refused where Pillow refuses them, with a message that says why', async () => {
    const refused = cases.filter(({ size }) => !size);
    expect(refused.length).toBeGreaterThanOrEqual(10);
    for (const one of refused) {
      const failure: unknown = await decodeImage(bytesOf(one)).catch((error: unknown) => error);
      expect(failure, one.file).toBeInstanceOf(InputError);
      expect((failure as Error).message, one.file).toMatch(/is a (BMP|GIF|PNM) that |is not an image/);
    }
  });

  it('are refused wherever they are cut off, and never read past their end', async () => {
    for (const one of readable.filter((_, i) => i % 12 === 0)) {
      const bytes = bytesOf(one);
      for (let length = 1; length < bytes.length; length += 1 + Math.floor(bytes.length / 40)) {
        const result: unknown = await decodeImage(bytes.slice(0, length)).catch((error: unknown) => error);
        if (!(result instanceof InputError)) expect(result).toHaveProperty('channels', 3);
      }
    }
  });
});

describe('GIF, BMP and PNM', () => {
  it.each([
    [ascii('GIF89a\x01\0\x01\0\0\0\0;     '), /is a GIF that has no picture in it/],
    [ascii(`BM${'\0'.repeat(12)}\x07\0\0\0${'\0'.repeat(60)}`), /is a BMP that has a header of 7 bytes/],
    [ascii('P6 3 2 70000\n'), /is a PNM that says that its largest sample is 70000/],
    [ascii('P5 3 -2 255\n'), /is a PNM that has '-2' in the place of a number/],
    [ascii('P2 2 1 9 4 10 '), /is a PNM that has the sample 10, but says that 9 is the largest/],
    [ascii('P1 2 1 0 2 '), /is a PNM that has other digits than 0 and 1/],
  ])('say what is wrong with a file (%#)', async (bytes, message) => {
    await expect(decodeImage(bytes)).rejects.toThrow(message);
  });

  it('are checked for their size before anything is decoded', async () => {
    const admit = ({ width }: { readonly width: number }): never => {
      throw new InputError({ message: `no room for ${width}` });
    };
    for (const sides of ['60000 60000', '100001 1000']) {
      const header = ascii(`P6 ${sides} 255\n`);
      await expect(decodeImage(header)).rejects.toThrow(/pixels, more than the 100000000 allowed/);
    }
    await expect(decodeImage(ascii('P6 9000 9001 255\n'), { admit })).rejects.toThrow('no room for 9000');
    await expect(decodeImage(ascii('P6 0 3 255\n'))).rejects.toThrow(InputError);
  });

  it('tell the size to who asks for it, of every format and turned where the picture is', async () => {
    const sizes: unknown[] = [];
    const admit = (size: unknown): void => void sizes.push(size);
    for (const file of ['rgb.png', 'orientation-6.jpg', 'palette.gif'])
      await decodeImage(readBytes(`decode/${file}`), { admit });
    expect(sizes).toEqual([
      { width: 37, height: 29 },
      { width: 29, height: 37 },
      { width: 37, height: 29 },
    ]);
  });
});
