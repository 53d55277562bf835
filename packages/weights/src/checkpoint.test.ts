import { cp, mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WeightError } from '@weft/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from './checkpoint.js';
import { openSafetensors } from './safetensors.js';
import { writeSafetensors } from './backend/node/write.js';

let root: string;
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'weft-checkpoint-')));
});
afterAll(() => rm(root, { recursive: true }));

const fixture = (name: string): string => fileURLToPath(new URL(`./__fixtures__/${name}`, import.meta.url));

let made = 0;
/** A folder with the given files: tensor names for safetensors, anything else as JSON or text. */
const folderWith = async (files: Record<string, readonly string[] | object | string>): Promise<string> => {
  const folder = join(root, String(made++));
  await mkdir(folder);
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    if (Array.isArray(content)) {
      const data = Uint8Array.of(name.length);
      await writeSafetensors(
        path,
        content.map((tensor: string) => ({ name: tensor, dtype: 'U8', shape: [1], data })),
        { metadata: { from: name } },
      );
    } else
      await writeFile(
        path,
        typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content),
      );
  }
  return folder;
};

const names = async (path: string): Promise<string[]> => {
  const checkpoint = await openCheckpoint(path);
  await checkpoint.close();
  return [...checkpoint.tensors.keys()].toSorted();
};

const index = 'model.safetensors.index.json';

describe('a folder', () => {
  it('with model.safetensors gives its tensors', async () => {
    const folder = await folderWith({ 'model.safetensors': ['a'], 'other.safetensors': ['b'] });
    const checkpoint = await openCheckpoint(folder);
    expect(checkpoint.path).toBe(folder);
    expect(checkpoint.files).toEqual([join(folder, 'model.safetensors')]);
    expect(checkpoint.metadata).toEqual({ from: 'model.safetensors' });
    expect(await checkpoint.read('a')).toEqual(Uint8Array.of('model.safetensors'.length));
    await expect(checkpoint.read('b')).rejects.toThrow(/no tensor "b" among the 1 of this checkpoint/);
    await checkpoint.close();
    await expect(checkpoint.read('a')).rejects.toThrow(/closed/);
  });

  it('prefers the Hugging Face shards to the consolidated file beside them', async () => {
    const shards = { [index]: { weight_map: { a: 's.safetensors' } }, 's.safetensors': ['a'] };
    expect(await names(await folderWith({ ...shards, 'consolidated.safetensors': ['b'] }))).toEqual(['a']);
  });

  it('with consolidated.safetensors gives its tensors, whatever lies beside it', async () => {
    const folder = await folderWith({ 'consolidated.safetensors': ['a'], 'params.safetensors': ['b'] });
    expect(await names(folder)).toEqual(['a']);
  });

  it('with one other file takes it, and takes neither adapters nor golden values for weights', async () => {
    const folder = await folderWith({
      'vision.safetensors': ['v'],
      'golden.safetensors': ['logits'],
      'adapter_model.safetensors': ['lora'],
      '.model.safetensors.tmp': 'half written',
    });
    expect(await names(folder)).toEqual(['v']);
  });

  it.each<[string, Record<string, readonly string[] | string | Buffer>, RegExp]>([
    ['without weights', { 'golden.safetensors': ['a'] }, /has no weights[^]*Check the path/],
    [
      'with PyTorch weights only',
      { 'pytorch_model.bin': 'x' },
      /no weights in safetensors, but "pytorch_model\.bin": PyTorch weights[^]*save_pretrained/,
    ],
    ['with GGUF only', { 'model-Q4_K_M.gguf': 'GGUF' }, /"model-Q4_K_M\.gguf": a GGUF file[^]*base model/],
    ['with ONNX only', { 'model_quantized.onnx': 'x' }, /"model_quantized\.onnx": an ONNX model/],
    ['with Flax weights only', { 'flax_model.msgpack': 'x' }, /Flax weights/],
    [
      'with an adapter only',
      { 'adapter_model.safetensors': ['lora'] },
      /has an adapter, "adapter_model\.safetensors", and no weights[^]*merge_and_unload/,
    ],
    [
      'whose weights are a pointer of Git LFS',
      { 'model.safetensors': 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n' },
      /pointer of Git LFS[^]*git lfs pull/,
    ],
    [
      'whose index is a pointer of Git LFS',
      { [index]: 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n' },
      /The index is a pointer of Git LFS[^]*git lfs pull/,
    ],
    ['whose weights are a web page', { 'model.safetensors': '<!DOCTYPE html><html>' }, /is a web page/],
    ['whose weights are GGUF', { 'model.safetensors': 'GGUF\x03\0\0\0\0\0\0\0' }, /is a GGUF file/],
    [
      'whose weights are a pickle',
      { 'model.safetensors': Buffer.from([0x80, 2, 0x8a, 0x0a]) },
      /is PyTorch weights/,
    ],
    [
      'with two candidates',
      { 'a.safetensors': ['a'], 'b.safetensors': ['b'] },
      /"a.safetensors", "b.safetensors"/,
    ],
    ['with a shard but no index', { 'model-00001-of-00002.safetensors': ['a'] }, /but no index/],
  ])('%s is refused', async (_, files, message) => {
    const error = await openCheckpoint(await folderWith(files)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WeightError);
    expect((error as Error).message).toMatch(message);
  });

  it('that does not exist is named', async () => {
    await expect(openCheckpoint(join(root, 'nowhere'))).rejects.toThrow(WeightError);
    await expect(openCheckpoint(join(root, 'nowhere'))).rejects.toThrow(/nowhere/);
  });

  /** A folder of the Hugging Face cache, and the one that holds its blobs. */
  const cache = async (names: readonly string[]): Promise<{ snapshot: string; blobs: string }> => {
    const repository = await folderWith(Object.fromEntries(names.map((name) => [name, [name]])));
    const [blobs, snapshot] = [join(repository, 'blobs'), join(repository, 'snapshots', '12ab')];
    await Promise.all([blobs, snapshot].map((path) => mkdir(path, { recursive: true })));
    for (const [i, name] of names.entries()) {
      await rename(join(repository, name), join(blobs, `0123abcd${i}`));
      await symlink(`../../blobs/0123abcd${i}`, join(snapshot, name));
    }
    return { snapshot, blobs };
  };

  it('of the Hugging Face cache leads through its links to the real files', async () => {
    const { snapshot, blobs } = await cache(['model.safetensors']);
    const checkpoint = await openCheckpoint(snapshot);
    expect(checkpoint.files).toEqual([join(blobs, '0123abcd0')]);
    expect(checkpoint.tensors.get('model.safetensors')!.file).toBe(join(blobs, '0123abcd0'));
    await checkpoint.close();
  });

  it('of the Hugging Face cache has shards in its blobs', async () => {
    const shards = ['1.safetensors', '2.safetensors'];
    const { snapshot } = await cache(shards);
    const weight_map = Object.fromEntries(shards.map((name) => [name, name]));
    await writeFile(join(snapshot, index), JSON.stringify({ weight_map }));
    expect(await names(snapshot)).toEqual(shards);
  });

  it('may itself be a link, and may link within itself', async () => {
    const folder = await folderWith({ 'weights.safetensors': ['a'] });
    await symlink('weights.safetensors', join(folder, 'model.safetensors'));
    const link = join(root, 'linked');
    await symlink(folder, link);
    expect(await names(link)).toEqual(['a']);
  });

  it.each([
    ['its weights', 'model.safetensors', 'model.safetensors'],
    ['a shard', '2.safetensors', index],
    ['its index', index, index],
    ['the only file', 'vision.safetensors', 'vision.safetensors'],
  ])('with a link that leads out of it for %s is refused', async (_, name, shown) => {
    const outside = await folderWith({ [name]: name === index ? { weight_map: {} } : ['b'] });
    const shards = {
      [index]: { weight_map: { a: '1.safetensors', b: '2.safetensors' } },
      '1.safetensors': ['a'],
    };
    const folder = await folderWith(shown === index && name !== index ? shards : {});
    await symlink(join(outside, name), join(folder, name));
    const error = await openCheckpoint(folder).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WeightError);
    expect((error as Error).message).toMatch(
      /is a link to ".*", outside of its folder\.[^]*put a copy of its file/,
    );
  });

  it('of the Hugging Face cache is refused with a link to the blobs of another model', async () => {
    const [own, other] = [await cache(['model.safetensors']), await cache(['model.safetensors'])];
    await rm(join(own.snapshot, 'model.safetensors'));
    await symlink(join(other.blobs, '0123abcd0'), join(own.snapshot, 'model.safetensors'));
    await expect(openCheckpoint(own.snapshot)).rejects.toThrow(/outside of its folder/);
  });
});

describe('a file', () => {
  it('of safetensors or an index opens by its own path', async () => {
    const folder = await folderWith({
      [index]: { weight_map: { a: 'one.safetensors', b: 'two.safetensors' } },
      'one.safetensors': ['a'],
      'two.safetensors': ['b'],
    });
    expect(await names(join(folder, 'two.safetensors'))).toEqual(['b']);
    expect(await names(join(folder, index))).toEqual(['a', 'b']);
  });
});

describe('shards', () => {
  it('written by huggingface_hub read like one file', async () => {
    const whole = await openSafetensors(fixture('every-dtype.safetensors'));
    const sharded = await openCheckpoint(fixture('sharded'));
    expect(sharded.files.length).toBe(4);
    expect(sharded.tensors.size).toBe(7);
    for (const [name, entry] of sharded.tensors) {
      const { dtype, shape } = whole.tensors.get(name)!;
      expect([entry.dtype, entry.shape]).toEqual([dtype, shape]);
      expect(await sharded.read(name)).toEqual(await whole.read(name));
      expect(await sharded.readFloat32(name)).toEqual(await whole.readFloat32(name));
    }
    await Promise.all([whole.close(), sharded.close()]);
  });

  it('join their metadata; where they disagree the first wins', async () => {
    const folder = await folderWith({
      [index]: { weight_map: { b: '2.safetensors', a: '1.safetensors' } },
      '1.safetensors': ['a'],
      '2.safetensors': ['b'],
    });
    const checkpoint = await openCheckpoint(folder);
    expect(checkpoint.metadata).toEqual({ from: '1.safetensors' });
    await checkpoint.close();
  });

  const shards = { '1.safetensors': ['a'], '2.safetensors': ['b'] };
  it.each<[string, Record<string, readonly string[] | object | string>, RegExp]>([
    ['whose index is not JSON', { [index]: '{' }, /cannot be read as JSON/],
    ['whose index is null', { [index]: 'null' }, /no weight_map/],
    ['whose index has no weight_map', { [index]: {} }, /no weight_map/],
    ['whose weight_map is a list', { [index]: { weight_map: ['a'] } }, /no weight_map/],
    ['whose weight_map is empty', { [index]: { weight_map: {} } }, /no weight_map/],
    ['whose index names a tensor twice', { [index]: '{"weight_map":{"a":"1","a":"2"}}' }, /key "a" twice/],
    [
      'whose index names an object',
      { [index]: { weight_map: { a: { toString: 1, valueOf: 1 } } } },
      /plain name/,
    ],
    ['whose index names a number', { [index]: { weight_map: { a: 1 } } }, /plain name/],
    [
      'that are missing',
      { [index]: { weight_map: { a: '1.safetensors', c: '3.safetensors' } }, ...shards },
      /no such file[^]*3\.safetensors/,
    ],
    [
      'that lack a tensor',
      { [index]: { weight_map: { a: '2.safetensors' } }, ...shards },
      /"a" in "2.safetensors", but that file does not/,
    ],
    [
      'that share a tensor',
      {
        [index]: { weight_map: { a: '1.safetensors', b: '2.safetensors' } },
        '1.safetensors': ['a'],
        '2.safetensors': ['a', 'b'],
      },
      /"a" is in "1.safetensors" and in "2.safetensors"/,
    ],
    [
      'that are damaged',
      { [index]: { weight_map: { a: '1.safetensors' } }, '1.safetensors': 'text instead' },
      /states a header/,
    ],
  ])('%s are refused', async (_, files, message) => {
    const error = await openCheckpoint(await folderWith(files)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WeightError);
    expect((error as Error).message).toMatch(message);
  });

  it.each([
    '../x.safetensors',
    '/x.safetensors',
    'a/x.safetensors',
    'a\\x.safetensors',
    'C:x.safetensors',
    '..',
    '',
    'x.bin',
  ])('are never looked for at %j', async (name) => {
    const folder = await folderWith({ [index]: { weight_map: { a: name } } });
    await writeSafetensors(join(root, 'x.safetensors'), [
      { name: 'a', dtype: 'U8', shape: [0], data: new Uint8Array(0) },
    ]);
    await expect(openCheckpoint(folder)).rejects.toThrow(/expected the plain name of a .safetensors file/);
  });

  it('stay readable when their folder is copied', async () => {
    const copy = join(root, 'copy');
    await cp(fixture('sharded'), copy, { recursive: true });
    expect((await names(copy)).length).toBe(7);
  });
});
