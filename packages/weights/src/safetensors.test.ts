import { mkdtemp, readFile, realpath, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WeightError } from '@weft/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

describe('a path', () => {
  it('that does not exist is named', async () => {
    const path = join(folder, 'nowhere.safetensors');
    await expect(openSafetensors(path)).rejects.toThrow(`There is no such file.\n  at ${path}`);
  });

  it('that is a folder is refused', async () => {
    await expect(openSafetensors(folder)).rejects.toThrow(/expected a safetensors file/);
  });

  it('that is a symbolic link leads to the real file', async () => {
    const path = await save(raw(`{"a":${entry()}}`, 4));
    const link = join(folder, 'link.safetensors');
    await symlink(path, link);
    const file = await openSafetensors(link);
    expect([file.path, file.tensors.get('a')!.file]).toEqual([path, path]);
    await file.close();
  });
});

describe('a file', () => {
  it('tells where each tensor lies', async () => {
    const header = `{"__metadata__":{"format":"pt"},"b":${entry({ data_offsets: [4, 8] })},"a":${entry()}}\n  `;
    const path = await save(raw(header, 8));
    const file = await openSafetensors(path);
    expect(file.metadata).toEqual({ format: 'pt' });
    expect([...file.tensors.values()]).toEqual([
      { name: 'a', dtype: 'U8', shape: [4], file: path, offset: 8 + header.length, byteLength: 4 },
      { name: 'b', dtype: 'U8', shape: [4], file: path, offset: 12 + header.length, byteLength: 4 },
    ]);
    await file.close();
  });

  it('may hold no tensor, and tensors without elements', async () => {
    const none = await openSafetensors(await save(raw('{}      ')));
    expect(none.tensors.size).toBe(0);
    await none.close();
    const empty = { dtype: 'F32', shape: [2, 0, 3], data_offsets: [0, 0] };
    const file = await openSafetensors(await save(raw(JSON.stringify({ a: empty, b: empty }))));
    expect((await file.read('a')).byteLength).toBe(0);
    expect(await file.readFloat32('b')).toEqual(new Float32Array(0));
    await file.close();
  });

  it('has no metadata where it says null', async () => {
    const file = await openSafetensors(await save(raw(`{"__metadata__":null,"a":${entry()}}`, 4)));
    expect([file.metadata, [...file.tensors.keys()]]).toEqual([{}, ['a']]);
    await file.close();
  });

  it.each([
    ['F8_E8M0', 4, 4],
    ['F8_E4M3FNUZ', 4, 4],
    ['F8_E5M2FNUZ', 4, 4],
    ['F6_E2M3', 8, 6],
    ['F6_E3M2', 4, 3],
    ['F4', 6, 3],
    ['C64', 2, 16],
  ] as const)('of %s is read as bytes, %i elements in %i', async (dtype, count, size) => {
    const text = entry({ dtype, shape: [count], data_offsets: [0, size] });
    const file = await openSafetensors(await save(raw(`{"a":${text}}`, size)));
    expect(await file.read('a')).toEqual(new Uint8Array(size).fill(7));
    await expect(file.readFloat32('a')).rejects.toThrow(
      new RegExp(`^${dtype} cannot be converted to single precision`),
    );
    await file.close();
  });

  it('may state sizes, pairs of surrogates and fields that the format does not know in any spelling', async () => {
    const header = `{"\\ud83d\\ude00":{"dtype":"U8","extra":[1e0,{"shape":-1}],"shape":[ 2,\n2 ],"data_offsets":[0,4]}}`;
    const file = await openSafetensors(await save(raw(header, 4)));
    expect([...file.tensors.values()].map(({ name, shape }) => [name, shape])).toEqual([['😀', [2, 2]]]);
    await file.close();
  });

  it('may use names that objects of JavaScript own', async () => {
    const names = ['__proto__', 'constructor', '0'];
    const members = names.map((name, i) => `"${name}":${entry({ data_offsets: [4 * i, 4 * i + 4] })}`);
    const file = await openSafetensors(await save(raw(`{${members.join(',')}}`, 12)));
    expect([...file.tensors.keys()]).toEqual(names);
    await file.close();
  });

  it('reads several tensors at a time', async () => {
    const file = await openSafetensors(fixture('every-dtype.safetensors'));
    const one = await file.read('single');
    const many = await Promise.all(
      [...file.tensors.keys()].flatMap((name) => [file.read(name), file.read('single')]),
    );
    expect(many.filter((_, i) => i % 2 === 1)).toEqual([...file.tensors.keys()].map(() => one));
    await file.close();
  });

  it('says so when a tensor is unknown, when it was closed, and when it became shorter', async () => {
    const path = await save(raw(`{"a":${entry()}}`, 4));
    const file = await openSafetensors(path);
    await expect(file.read('b')).rejects.toThrow(/no tensor "b" among the 1/);
    await truncate(path, 40);
    await expect(file.read('a')).rejects.toThrow(WeightError);
    await file.close();
    await file.close();
    await expect(file.read('a')).rejects.toThrow(/after the file was closed/);
    await expect(file.readFloat32('a')).rejects.toThrow(WeightError);
  });

  it('of the reference whose tensors begin at odd offsets gives the values of the reference', async () => {
    const { oddOffsets } = JSON.parse(await readFile(fixture('expected.json'), 'utf8'));
    const file = await openSafetensors(fixture('odd-offsets.safetensors'));
    expect([...file.tensors.values()].filter(({ offset }) => offset % 2 === 1).length).toBeGreaterThan(2);
    for (const name of file.tensors.keys()) {
      expect(Buffer.from((await file.readFloat32(name)).buffer).toString('base64')).toBe(oddOffsets[name]);
    }
    await file.close();
  });
});
