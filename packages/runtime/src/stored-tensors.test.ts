import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WeightError } from '@weft/errors';
import {
  fromFloat32,
  openCheckpoint,
  toFloat32,
  wholeTensor,
  type Checkpoint,
  type TensorToWrite,
} from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { openFolder } from './open-folder.js';
import { readEntry } from './read-entry.js';
import { storedTensors } from './stored-tensors.js';
import { verify } from './verify.js';
import { writeModel, type WeightToWrite } from './write-model.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-stored-'));
});
afterAll(() => rm(root, { recursive: true }));

/** A fixture, written again from its model. */
async function again(name: string): Promise<string> {
  const folder = await mkdtemp(join(root, `${name}-`));
  const { model, files, entries } = await openFolder(fixture(name));
  const weights = [...entries].map(([path, entry]): WeightToWrite => {
    const { dtype, shape, ...tensor } = wholeTensor(entry);
    return { name: path, dtype, shape, data: () => readEntry({ ...tensor, dtype, shape }) };
  });
  const { preprocessor } = files;
  await writeModel(folder, { model, weights, tokenizerFrom: fixture(name), preprocessor });
  return folder;
}

const opened = async (folder: string): Promise<Checkpoint> => {
  const checkpoint = await openCheckpoint(folder);
  await checkpoint.close();
  return checkpoint;
};
/** Names as transformers 5.18 has them within, from those of older files. */
const within = (name: string): string =>
  name
    .replace(/^model\./, '')
    .replace(/^language_model\.model\./, 'language_model.')
    .replace(/^language_model\.lm_head\./, 'lm_head.')
    .replace('experts.fc1.weight', 'experts.gate_up_proj')
    .replace('experts.fc2.weight', 'experts.down_proj');

describe('a model that is written again', () => {
  it.each(['aria-two', 'aria-split'])('has the experts of %s in the tensors of its files', async (name) => {
    const folder = await again(name);
    const [source, copy] = [await opened(fixture(name)), await opened(folder)];
    const wanted = new Map([...source.tensors.values()].map((entry) => [within(entry.name), entry]));
    const experts = [...copy.tensors.keys()].filter((tensor) => tensor.includes('.experts.'));
    expect(experts.length).toBeGreaterThan(0);
    expect([...copy.tensors.keys()].map(within).toSorted()).toEqual([...wanted.keys()].toSorted());
    for (const entry of copy.tensors.values()) {
      const other = wanted.get(within(entry.name))!;
      expect([entry.name, entry.shape]).toEqual([entry.name, other.shape]);
      expect(Buffer.compare(await readEntry(entry), await readEntry(other))).toBe(0);
    }
  });

  it('has the tower of Janus under the names that transformers reads', async () => {
    const copy = await opened(await again('janus-two'));
    const tower = [...copy.tensors.keys()].filter((name) => /vision_model\.encoder\..*self_attn/.test(name));
    const kinds = new Set(tower.map((name) => /self_attn\.(\w+)\./.exec(name)![1]));
    expect([...kinds].toSorted()).toEqual(['k_proj', 'projection_layer', 'q_proj', 'v_proj']);
  });

  it('has the tower of DINOv2 without the segment of CLIP and SigLIP', async () => {
    const copy = await opened(await again('llava-dino'));
    const tower = [...copy.tensors.keys()].filter((name) => name.includes('vision_tower.'));
    expect(tower.length).toBeGreaterThan(10);
    expect(tower.filter((name) => name.includes('vision_model.'))).toEqual([]);
  });

  it.each(['aria-two', 'janus-two', 'llava-dino', 'text-olmoe-merged'])(
    'computes the same: %s',
    async (name) => {
      const folder = await again(name);
      for (const file of await readdir(fixture(name)))
        if (/^(golden\.safetensors|prompt\.txt|image-.*)$/.test(file))
          await cp(join(fixture(name), file), join(folder, file));
      const { checks } = await verify(folder);
      expect(checks.filter(({ ok }) => !ok)).toEqual([]);
      expect(checks.map((check) => check.name)).toContain('logits');
    },
  );
});

describe('tensors of a file put together', () => {
  const piece = (i: number, dtype: 'F32' | 'BF16' = 'F32', shape = [2]): TensorToWrite => ({
    name: `e.${i}.w`,
    dtype,
    shape,
    data: fromFloat32(Float32Array.of(i, i + 0.5), dtype),
  });
  const names = {
    stored: (name: string) =>
      /^e\.\d/.test(name) ? { name: 'e.w', index: Number(name.split('.')[1]) } : undefined,
    split: (name: string, [count = 0, ...shape]: readonly number[]) =>
      name === 'e.w'
        ? Array.from({ length: count }, (_, i) => ({ name: `e.${i}.w`, start: i * shape[0]!, shape }))
        : undefined,
  };
  const valuesOf = async ({ data, dtype }: TensorToWrite): Promise<number[]> => [
    ...toFloat32(typeof data === 'function' ? await data() : data, dtype),
  ];

  it('stand in the order of their numbers, in the place of the first, whatever the order they come in', async () => {
    const other = { ...piece(9), name: 'other' };
    const stored = storedTensors([piece(2), other, piece(0), piece(1)], names);
    expect(stored.map(({ name, shape }) => [name, shape])).toEqual([
      ['e.w', [3, 2]],
      ['other', [2]],
    ]);
    expect(await valuesOf(stored[0]!)).toEqual([0, 0.5, 1, 1.5, 2, 2.5]);
  });

  it('are float32 where their types differ', async () => {
    const [stored] = storedTensors([piece(0, 'BF16'), piece(1)], names);
    expect(stored!.dtype).toBe('F32');
    expect(await valuesOf(stored!)).toEqual([0, 0.5, 1, 1.5]);
  });

  it.each<[string, TensorToWrite[]]>([
    ['one is missing', [piece(0), piece(2)]],
    ['the last are all there is', [piece(1), piece(2)]],
    ['one has another shape', [piece(0), piece(1, 'F32', [1, 2])]],
  ])('are refused where %s', (_, tensors) => {
    expect(() => storedTensors(tensors, names)).toThrow(WeightError);
    expect(() => storedTensors(tensors, names)).toThrow(/cannot be written as one/);
  });

  it('are refused where the data of one has another size than its shape', async () => {
    const [stored] = storedTensors([piece(0), { ...piece(1), data: new Uint8Array(4) }], names);
    await expect((stored!.data as () => Promise<Uint8Array>)()).rejects.toThrow(/has 4 bytes, expected 8/);
  });
});
