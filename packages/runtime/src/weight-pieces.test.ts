import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WeightError } from '@weft/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { locateWeights } from './weight-location.js';
import { readPieces, runsOf, type WeightPiece } from './weight-pieces.js';

let folder: string;
const content = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-pieces-'));
  for (const name of ['a', 'b']) await writeFile(join(folder, name), content);
});
afterAll(() => rm(folder, { recursive: true }));

const piece = (name: string, offset: number, byteLength: number): WeightPiece => ({
  location: `${name}@${offset}`,
  file: join(folder, name),
  offset,
  byteLength,
});

describe('pieces of weights', () => {
  it('have a location for each tensor where files are not mapped', () => {
    const entry = (file: string, offset: number) =>
      ({ name: 'w', dtype: 'BF16', shape: [2, 8], file, offset, byteLength: 32 }) as const;
    const { locate, pieceAt } = locateWeights(
      new Map([
        ['x', entry('/models/one/a', 8)],
        ['y', entry('/models/two/b', 40)],
      ]),
      { mapsFiles: false },
    );
    expect(locate('y')).toMatchObject({ location: 'two/b@40', offset: 0, length: 32, dtype: 'bfloat16' });
    expect(pieceAt('two/b@40')).toEqual({
      location: 'two/b@40',
      file: '/models/two/b',
      offset: 40,
      byteLength: 32,
    });
    expect(pieceAt('one/a@8')).toBeUndefined();
  });

  it('are read with their neighbours, in any order, also where they overlap', async () => {
    const pieces = [piece('b', 0, 10), piece('a', 9000, 10), piece('a', 100, 50), piece('a', 0, 100)];
    pieces.push(piece('a', 120, 3000));
    expect(runsOf(pieces).map((run) => run.map(({ location }) => location))).toEqual([
      ['a@0', 'a@100', 'a@120'],
      ['a@9000'],
      ['b@0'],
    ]);
    for (const { path, data } of await readPieces(pieces)) {
      const { offset, byteLength } = pieces.find(({ location }) => location === path)!;
      expect(data).toEqual(content.slice(offset, offset + byteLength));
    }
  });

  it('are not read in one go beyond 64 MiB', () => {
    const large = 2 ** 25;
    const pieces = [0, 1, 2, 3].map((i) => piece('a', i * large, large));
    expect(runsOf(pieces).map(({ length }) => length)).toEqual([2, 2]);
    expect(runsOf([piece('a', 0, 2 ** 30)])).toHaveLength(1);
  });

  it('that the file does not hold are an error', async () => {
    const reading = readPieces([piece('a', 9990, 20)]);
    await expect(reading).rejects.toThrow(WeightError);
    await expect(reading).rejects.toThrow(/became shorter[^]*bytes from 9990 on/);
  });
});
