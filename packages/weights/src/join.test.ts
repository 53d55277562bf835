import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { UnsupportedError, WeightError } from '@weft/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, type Checkpoint } from './checkpoint.js';
import { isJoined, wholeTensor, type JoinTensors, type TensorJoin } from './join.js';
import { matchWeights } from './match.js';
import { writeCheckpoint } from '#backend';
import type { TensorToWrite } from './tensor-to-write.js';

/** Packed numbers of 4 bits, eight in an int32 along the inputs, as GPTQ has them: `[in / 8, out]`. */
const gptq: JoinTensors = (tensors) =>
  [...tensors].flatMap(([name, { shape }]): TensorJoin[] => {
    const base = /^(.*)\.qweight$/.exec(name)?.[1];
    if (base === undefined) return [];
    const pieces = Object.fromEntries(
      ['qweight', 'scales', 'qzeros'].map((role) => [role, `${base}.${role}`]),
    );
    return [{ name: `${base}.weight`, shape: [shape[1]!, 8 * shape[0]!], form: 'gptq', pieces }];
  });

const zeros = (
  name: string,
  dtype: TensorToWrite['dtype'],
  shape: readonly number[],
  size: number,
): TensorToWrite => ({
  name,
  dtype,
  shape,
  data: new Uint8Array(shape.reduce((product, dim) => product * dim, size)),
});
const packed = (base: string): TensorToWrite[] => [
  zeros(`${base}.qweight`, 'I32', [4, 6], 4),
  zeros(`${base}.scales`, 'F16', [2, 6], 2),
  zeros(`${base}.qzeros`, 'I32', [2, 1], 4),
];
const norm = zeros('model.norm.weight', 'F32', [32], 4);
const expected = new Map([
  ['a.weight', { shape: [6, 32] }],
  ['b.weight', { shape: [6, 32] }],
  ['norm.weight', { shape: [32] }],
]);
const rename = (name: string) => name.replace(/^model\./, '');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(joinPath(tmpdir(), 'weft-join-'));
});
afterAll(() => rm(folder, { recursive: true }));

let folders = 0;
/** A checkpoint folder of these tensors; some have more than one shard. */
async function written(tensors: readonly TensorToWrite[]): Promise<Checkpoint> {
  const path = joinPath(folder, `${folders++}`);
  await writeCheckpoint(path, tensors, { maxShardBytes: 150 });
  const checkpoint = await openCheckpoint(path);
  await checkpoint.close();
  return checkpoint;
}

describe('joined tensors', () => {
  it('are one parameter, under its path, with all of their places in the files', async () => {
    const file = await written([...packed('model.a'), ...packed('model.b'), norm]);
    expect(file.files.length).toBeGreaterThan(1);
    const { entries, unused } = matchWeights({ expected, file, join: gptq, rename });
    expect([...entries.keys()].toSorted()).toEqual(['a.weight', 'b.weight', 'norm.weight']);
    const a = entries.get('a.weight')!;
    if (!isJoined(a)) throw new Error('a.weight is not joined');
    expect([a.name, a.form, a.shape]).toEqual(['model.a.weight', 'gptq', [6, 32]]);
    for (const role of ['qweight', 'scales', 'qzeros'])
      expect(a.pieces[role]).toBe(file.tensors.get(`model.a.${role}`));
    expect(entries.get('norm.weight')).toBe(file.tensors.get('model.norm.weight'));
    expect(unused).toEqual([]);
  });

  it('may be pieces of tensors themselves', async () => {
    const file = await written([zeros('kv', 'F32', [4, 3], 4)]);
    const { entries } = matchWeights({
      expected: new Map([['both', { shape: [4, 3] }]]),
      file,
      split: (_name, [rows, columns]) => [
        { name: 'v', start: 0, shape: [rows! / 2, columns!] },
        { name: 'k', start: 6, shape: [rows! / 2, columns!] },
      ],
      join: () => [{ name: 'both', shape: [4, 3], form: 'rows', pieces: { first: 'k', second: 'v' } }],
    });
    const both = entries.get('both')!;
    if (!isJoined(both)) throw new Error('not joined');
    const start = file.tensors.get('kv')!.offset;
    expect([both.pieces['first']!.offset, both.pieces['second']!.offset]).toEqual([start + 24, start]);
  });

  it('must all be there; every piece that is missing is named', async () => {
    const file = await written([packed('model.a')[0]!, ...packed('model.b').slice(0, 2), norm]);
    const match = () => matchWeights({ expected, file, join: gptq, rename });
    expect(match).toThrow(WeightError);
    expect(match).toThrow(
      /3 pieces of joined weights are missing[^]*model\.a\.weight\n +its scales is not in the file: model\.a\.scales[^]*model\.a\.qzeros[^]*model\.b\.qzeros/,
    );
  });

  it('are accounted for: what is left of them has no place in the model', async () => {
    const file = await written([
      ...packed('model.a'),
      ...packed('model.b'),
      norm,
      zeros('model.c.scales', 'F16', [1], 2),
    ]);
    expect(() => matchWeights({ expected, file, join: gptq, rename })).toThrow(
      /1 of 4 tensors of .* have no place in the model[^]*model\.c\.scales/,
    );
  });

  it('must have the shape of their parameter', async () => {
    const file = await written([...packed('model.a'), ...packed('model.b'), norm]);
    const wider = new Map([...expected, ['a.weight', { shape: [6, 40] }]]);
    expect(() => matchWeights({ expected: wider, file, join: gptq, rename })).toThrow(
      /a\.weight\n +expected \[6, 40\], the file has \[6, 32\] as "model\.a\.weight"/,
    );
  });

  it('belong to one whole, whose name no other tensor has', async () => {
    const file = await written([...packed('model.a'), zeros('model.a.weight', 'F32', [1], 4)]);
    const match = (join: JoinTensors) => () => matchWeights({ expected: new Map(), file, join });
    expect(match(gptq)).toThrow(
      /"model\.a\.weight" is a tensor of the file, and joined of "model\.a\.qweight"/,
    );
    const twice: JoinTensors = () =>
      ['x', 'y'].map((name) => ({ name, shape: [1], form: 'rows', pieces: { part: 'model.a.scales' } }));
    expect(match(twice)).toThrow(/"model\.a\.scales" is a piece of both "x" and "y"/);
  });

  it('are not read by code that knows whole tensors only', async () => {
    const file = await written([...packed('model.a'), ...packed('model.b'), norm]);
    const { entries } = matchWeights({ expected, file, join: gptq, rename });
    expect(wholeTensor(entries.get('norm.weight')!).dtype).toBe('F32');
    expect(() => wholeTensor(entries.get('a.weight')!)).toThrow(UnsupportedError);
    expect(() => wholeTensor(entries.get('a.weight')!)).toThrow(/stored as qweight, scales, qzeros \(gptq\)/);
  });
});
