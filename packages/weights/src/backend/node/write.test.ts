import { mkdir, mkdtemp, readFile, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WeightError } from '@weft/errors';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../checkpoint.js';
import { openSafetensors, type SafetensorsFile } from '../../safetensors.js';
import type { TensorToWrite } from '../../tensor-to-write.js';
import { writeCheckpoint, writeSafetensors } from './write.js';

const made: string[] = [];
let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'weft-write-')));
  made.push(folder);
});
afterAll(() => Promise.all(made.map((path) => rm(path, { recursive: true }))));

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../__fixtures__/${name}`, import.meta.url));

const tensorsOf = (file: SafetensorsFile, names: Iterable<string> = file.tensors.keys()): TensorToWrite[] =>
  Array.from(names, (name) => {
    const { dtype, shape } = file.tensors.get(name)!;
    return { name, dtype, shape, data: () => file.read(name) };
  });

const bytes = (name: string, length: number): TensorToWrite => ({
  name,
  dtype: 'U8',
  shape: [length],
  data: new Uint8Array(length).fill(length),
});

describe('writeSafetensors', () => {
  it.each(['every-dtype', 'rounding'])(
    'writes %s byte for byte as the reference does, in any order',
    async (name) => {
      const file = await openSafetensors(fixture(`${name}.safetensors`));
      const { metadata } = file;
      const settings = Object.keys(metadata).length > 0 ? { metadata } : {};
      const path = join(folder, 'copy.safetensors');
      const reference = await readFile(file.path);
      for (const tensors of [tensorsOf(file), tensorsOf(file).toReversed()]) {
        await writeSafetensors(path, tensors, settings);
        expect(Buffer.compare(await readFile(path), reference)).toBe(0);
      }
      await file.close();
    },
  );

  it('asks for one tensor at a time, in the order of the file', async () => {
    const events: string[] = [];
    const tensor = (name: string, dtype: 'U8' | 'F32'): TensorToWrite => ({
      name,
      dtype,
      shape: [1],
      data: async () => {
        events.push(`${name} begins`);
        await new Promise(setImmediate);
        events.push(`${name} ends`);
        return new Uint8Array(dtype === 'U8' ? 1 : 4);
      },
    });
    await writeSafetensors(join(folder, 'a.safetensors'), [tensor('a', 'U8'), tensor('b', 'F32')]);
    expect(events).toEqual(['b begins', 'b ends', 'a begins', 'a ends']);
  });

  it('writes no tensors at all, with sorted metadata and a padded header', async () => {
    const path = join(folder, 'a.safetensors');
    await writeSafetensors(path, [], { metadata: { b: '2', a: 'é"' } });
    const content = await readFile(path);
    expect(content.subarray(8).toString().trimEnd()).toBe('{"__metadata__":{"a":"é\\"","b":"2"}}');
    expect(content.length % 8).toBe(0);
  });

  it('replaces a file only when all of the new one is on the disk', async () => {
    const path = join(folder, 'a.safetensors');
    await writeSafetensors(path, [bytes('old', 3)]);
    const failing = { ...bytes('new', 3), data: () => Promise.reject(new Error('out of power')) };
    await expect(writeSafetensors(path, [failing])).rejects.toThrow('out of power');
    const file = await openSafetensors(path);
    expect([...file.tensors.keys()]).toEqual(['old']);
    await writeSafetensors(path, [bytes('new', 5), ...tensorsOf(file)]);
    expect(await file.read('old')).toEqual(Uint8Array.of(3, 3, 3));
    await file.close();
    expect(await readdir(folder)).toEqual(['a.safetensors']);
  });

  it.each<[string, TensorToWrite[], Record<string, string> | undefined, RegExp]>([
    ['a name twice', [bytes('a', 1), bytes('a', 1)], undefined, /tensor "a"|twice/],
    ['a tensor named __metadata__', [bytes('__metadata__', 1)], undefined, /cannot be stored/],
    ['a name that UTF-8 cannot hold', [bytes('\ud800', 1)], undefined, /cannot be stored/],
    ['too few bytes', [{ ...bytes('a', 1), shape: [2] }], undefined, /1 bytes, expected 2 for U8 \[2\]/],
    [
      'late bytes that are too few',
      [{ ...bytes('a', 2), data: async () => new Uint8Array(1) }],
      undefined,
      /expected 2/,
    ],
    ['a fractional shape', [{ ...bytes('a', 1), shape: [0.5] }], undefined, /shape is \[0.5\]/],
    ['an unknown dtype', [{ ...bytes('a', 1), dtype: 'U7' as 'U8' }], undefined, /dtype is U7/],
    ['metadata that is a number', [], { step: 3 as unknown as string }, /metadata "step" is 3/],
    ['metadata that UTF-8 cannot hold', [], { a: '\udc00' }, /expected a string of UTF-8/],
  ])('refuses %s and leaves nothing behind', async (_, tensors, metadata, message) => {
    const error = await writeSafetensors(
      join(folder, 'a.safetensors'),
      tensors,
      metadata && { metadata },
    ).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WeightError);
    expect((error as Error).message).toMatch(message);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('writeCheckpoint', () => {
  it('writes one file when it fits, with the format that transformers asks for', async () => {
    const files = await writeCheckpoint(join(folder, 'new', 'model'), [bytes('a', 3)], {
      metadata: { step: '7' },
    });
    expect(files).toEqual([join(folder, 'new', 'model', 'model.safetensors')]);
    const checkpoint = await openCheckpoint(join(folder, 'new', 'model'));
    expect(checkpoint.metadata).toEqual({ format: 'pt', step: '7' });
    await checkpoint.close();
  });

  it('splits as huggingface_hub does, byte for byte', async () => {
    const reference = await openCheckpoint(fixture('sharded'));
    const order = ['z.u8', 'single', 'half', 'i64', 'brain', 'scalar', 'i8'];
    const files = await writeCheckpoint(folder, tensorsOf(reference, order), { maxShardBytes: 20 });
    await reference.close();
    expect(files.length).toBe(5);
    expect(await readdir(folder)).toEqual(await readdir(fixture('sharded')));
    for (const name of (await readdir(folder)).filter((name) => name.endsWith('.safetensors'))) {
      expect(
        Buffer.compare(await readFile(join(folder, name)), await readFile(fixture(`sharded/${name}`))),
      ).toBe(0);
    }
    const index = 'model.safetensors.index.json';
    expect(JSON.parse(await readFile(join(folder, index), 'utf8'))).toEqual(
      JSON.parse(await readFile(fixture(`sharded/${index}`), 'utf8')),
    );
  });

  it('replaces what an earlier write left, in both directions, and nothing else', async () => {
    await writeFile(join(folder, 'config.json'), '{}');
    const tensors = [bytes('a', 3), bytes('b', 3), bytes('c', 3)];
    const namesIn = async (): Promise<string[]> => {
      const checkpoint = await openCheckpoint(folder);
      await checkpoint.close();
      return [...checkpoint.tensors.keys()].toSorted();
    };
    await writeCheckpoint(folder, [bytes('old', 1)]);
    await writeCheckpoint(folder, tensors, { maxShardBytes: 3 });
    expect(await namesIn()).toEqual(['a', 'b', 'c']);
    expect((await readdir(folder)).length).toBe(5);
    await writeCheckpoint(folder, tensors.slice(1), { maxShardBytes: 3 });
    expect(await namesIn()).toEqual(['b', 'c']);
    expect((await readdir(folder)).length).toBe(4);
    await writeCheckpoint(folder, [bytes('new', 1)]);
    expect(await namesIn()).toEqual(['new']);
    expect(await readdir(folder)).toEqual(['config.json', 'model.safetensors']);
  });

  it('keeps the old checkpoint when a tensor of the last shard cannot be had', async () => {
    await writeCheckpoint(folder, [bytes('a', 3), bytes('b', 3)], { maxShardBytes: 3 });
    const before = await readdir(folder);
    const failing = { ...bytes('d', 3), data: () => Promise.reject(new Error('out of power')) };
    await expect(writeCheckpoint(folder, [bytes('c', 3), failing], { maxShardBytes: 3 })).rejects.toThrow(
      'power',
    );
    expect(await readdir(folder)).toEqual(before);
    const checkpoint = await openCheckpoint(folder);
    expect(await checkpoint.read('b')).toEqual(Uint8Array.of(3, 3, 3));
    await checkpoint.close();
  });

  it('that stops between two shards leaves no index that would mix old and new', async () => {
    await writeCheckpoint(folder, [bytes('a', 3), bytes('b', 3)], { maxShardBytes: 3 });
    const second = join(folder, 'model-00002-of-00002.safetensors');
    await rm(second);
    await mkdir(join(second, 'in the way'), { recursive: true });
    await expect(
      writeCheckpoint(folder, [bytes('a', 2), bytes('b', 2)], { maxShardBytes: 3 }),
    ).rejects.toThrow();
    expect(await readdir(folder)).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
    ]);
    await expect(openCheckpoint(folder)).rejects.toThrow(/but no index/);
  });

  it('refuses shards of no bytes', async () => {
    await expect(writeCheckpoint(folder, [], { maxShardBytes: 0 })).rejects.toThrow(/maxShardBytes is 0/);
    await expect(writeCheckpoint(folder, [], { maxShardBytes: NaN })).rejects.toThrow(WeightError);
  });
});
