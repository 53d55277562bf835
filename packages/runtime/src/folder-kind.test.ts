import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, isWeftError, UnsupportedError, type Notice, type WeftError } from '@weft/errors';
import type { Json } from '@weft/spec';
import { openCheckpoint, writeCheckpoint, type TensorToWrite } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { load } from './load.js';
import { openFolder } from './open-folder.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-kind-'));
});
afterAll(() => rm(root, { recursive: true }));

const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n';
const whole = async (files: Readonly<Record<string, string>> = {}, name = 'text-llama3'): Promise<string> => {
  const folder = await mkdtemp(join(root, 'model-'));
  await cp(fixture(name), folder, { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  return folder;
};
const only = async (files: Readonly<Record<string, string>>): Promise<string> => {
  const folder = await mkdtemp(join(root, 'files-'));
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  return folder;
};
const failure = (path: string): Promise<WeftError> =>
  load(path, { worker: false }).then(
    () => Promise.reject(new Error('loaded')),
    (error: WeftError) => {
      expect(isWeftError(error)).toBe(true);
      return error;
    },
  );

describe('a path that is no checkpoint folder is named, with the way out', () => {
  it.each([
    ['model.Q4_K_M.gguf', 'GGUF\x03', /a GGUF file of llama\.cpp[^]*in safetensors from which it was made/],
    ['model.bin', 'GGUF\x03', /a GGUF file/],
    ['pytorch_model.bin', 'PK\x03\x04', /PyTorch weights[^]*save_pretrained/],
    ['model.onnx', '\x08\x07', /an ONNX model/],
    ['tf_model.h5', 'x', /TensorFlow weights/],
    ['weights.safetensors', pointer, /pointer of Git LFS[^]*git lfs pull/],
    ['model.safetensors', '\x02\0\0\0\0\0\0\0{}', /This is a file[^]*Pass the folder that holds it/],
  ])('%s', async (name, text, message) => {
    const folder = await mkdtemp(join(root, 'file-'));
    await writeFile(join(folder, name), text, 'latin1');
    const error = await failure(join(folder, name));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
  });

  it('a repository of the hub', async () => {
    expect((await failure('HuggingFaceTB/SmolVLM-256M-Instruct')).message).toMatch(
      /no such folder[^]*hf download HuggingFaceTB\/SmolVLM-256M-Instruct --local-dir SmolVLM-256M-Instruct/,
    );
  });

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    [
      'with GGUF files',
      { 'a-Q8_0.gguf': 'GGUF', 'README.md': '' },
      /no config\.json, but a-Q8_0\.gguf: a GGUF/,
    ],
    ['with ONNX files', { 'model.onnx': '' }, /no config\.json, but model\.onnx: an ONNX model/],
    ['with PyTorch weights', { 'consolidated.00.pth': '' }, /consolidated\.00\.pth: PyTorch weights/],
    ['of diffusers', { 'model_index.json': '{}' }, /a pipeline of diffusers/],
    ['that was not written to its end', { '.weft-old-00ff00ff00ff': '' }, /not finished.*in \.weft-old-00ff/],
    ['without anything', {}, /no config\.json\./],
  ])('a folder %s', async (_, files, message) => {
    expect((await failure(await only(files))).message).toMatch(message);
  });

  it('a folder of an exported ONNX model with its config.json', async () => {
    const config = await readFile(join(fixture('text-llama3'), 'config.json'), 'utf8');
    const folder = await only({ 'config.json': config });
    await mkdir(join(folder, 'onnx'));
    expect((await failure(folder)).message).toMatch(/no weights in safetensors, but "onnx": an ONNX model/);
  });
});

describe('pointers of Git LFS', () => {
  it.each([
    'config.json',
    'tokenizer.json',
    'model.safetensors',
    'preprocessor_config.json',
    'tokenizer.model',
  ])('in the place of %s are named with the command that fetches it', async (name) => {
    const error = await failure(await whole({ [name]: pointer }, 'llava-clip'));
    expect(error.message).toMatch(
      new RegExp(`^${name.replace('.', '\\.')} is only a pointer of Git LFS[^]*git lfs pull`),
    );
  });

  it('are named together', async () => {
    const folder = await whole({ 'model.safetensors': pointer, 'tokenizer.json': pointer });
    expect((await failure(folder)).message).toMatch(/^model\.safetensors, tokenizer\.json are only/);
  });
});

describe('an adapter', () => {
  const config = JSON.stringify({ base_model_name_or_path: 'llava-hf/llava-1.5-7b-hf', peft_type: 'LORA' });
  it.each<[string, Readonly<Record<string, string>>]>([
    ['PEFT', { 'adapter_config.json': config, 'adapter_model.safetensors': '' }],
    ['weights alone', { 'adapter_model.bin': '' }],
    ['its configuration alone', { 'adapter_config.json': 'no JSON' }],
    ['MLX', { 'adapters.safetensors': '' }],
  ])('beside a whole model is refused by name: %s', async (_, files) => {
    const error = await failure(await whole(files));
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toContain(Object.keys(files)[0]);
    expect(error.message).toMatch(/beside its model[^]*merge_and_unload[^]*move the adapter's files away/);
  });

  it('without a model is named with its base model', async () => {
    const error = await failure(
      await only({ 'adapter_config.json': config, 'adapter_model.safetensors': '' }),
    );
    expect(error.message).toMatch(
      /adapter of "llava-hf\/llava-1\.5-7b-hf" .* and no model[^]*merge_and_unload/,
    );
  });
});

/** A copy of a fixture with other tensors and more in its `config.json`. */
async function stored(
  more: Json,
  change: (tensor: TensorToWrite) => TensorToWrite[] = (tensor) => [tensor],
): Promise<string> {
  const folder = await whole();
  const path = join(folder, 'config.json');
  await writeFile(path, JSON.stringify({ ...(JSON.parse(await readFile(path, 'utf8')) as Json), ...more }));
  const checkpoint = await openCheckpoint(folder);
  const tensors: TensorToWrite[] = [];
  for (const [name, { dtype, shape }] of checkpoint.tensors)
    tensors.push({ name, dtype, shape, data: await checkpoint.read(name) });
  await checkpoint.close();
  await writeCheckpoint(folder, tensors.flatMap(change));
  return folder;
}

const bytes = (name: string, dtype: TensorToWrite['dtype'], length: number): TensorToWrite => ({
  name,
  dtype,
  shape: [length],
  data: new Uint8Array(length * (dtype === 'I32' ? 4 : dtype === 'F16' ? 2 : 1)),
});
const instead = (make: (path: string) => TensorToWrite[]) => (tensor: TensorToWrite) =>
  tensor.name.endsWith('_proj.weight') ? make(tensor.name.replace(/\.weight$/, '')) : [tensor];

describe('quantised weights', () => {
  it.each<[string, Json, (path: string) => TensorToWrite[], RegExp]>([
    [
      'GPTQ without a word in config.json',
      {},
      (path) => [bytes(`${path}.qweight`, 'I32', 2), bytes(`${path}.g_idx`, 'I32', 2)],
      /quantised: \d+ of \d+ tensors/,
    ],
    [
      'MLX',
      { quantization: { group_size: 64, bits: 4 } },
      (path) => [bytes(`${path}.weight`, 'U32', 0), bytes(`${path}.scales`, 'F16', 1)],
      /quant_method not stated, 4 bits/,
    ],
  ])('of %s are refused by their method, with the way out', async (_, more, make, message) => {
    const error = await failure(await stored(more, instead(make)));
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/Take the checkpoint of which it was quantised/);
  });

  it.each<[string, Json, RegExp]>([
    ['a method', { quant_method: 'aqlm' }, /method 'aqlm', which is not read[^]*gptq, awq/],
    ['3 bits', { quant_method: 'gptq', bits: 3, group_size: 128 }, /bits is 3, and only 4 or 8 is read/],
    ['an order of rows', { quant_method: 'awq', bits: 4, version: 'gemv' }, /version is "gemv"/],
  ])('of %s that is not read are refused by name', async (_, section, message) => {
    const made = instead((path) => [bytes(`${path}.qweight`, 'I32', 2)]);
    const error = await failure(await stored({ quantization_config: section }, made));
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toMatch(message);
  });

  it('that lack their tensors are told tensor by tensor', async () => {
    const made = instead((path) => [bytes(`${path}.qweight`, 'I32', 2)]);
    const more = { quantization_config: { quant_method: 'gptq', bits: 4, group_size: 16 } };
    const error = await failure(await stored(more, made));
    expect(error.message).toMatch(/pieces of joined weights are missing[^]*scales is not in the file/);
  });

  it.each<[string, Json, string]>([
    [
      'at the top',
      { quantization_config: { quant_method: 'bitsandbytes', load_in_8bit: true } },
      'quantization_config',
    ],
    ['in a section', { text_config: { quantization_config: {} } }, 'text_config.quantization_config'],
    ['of older tools', { compression_config: { quant_method: 'sparseml' } }, 'compression_config'],
  ])(
    'that config.json asks for %s over weights as floating point numbers are told once',
    async (_, more, key) => {
      const notices: Notice[] = [];
      await openFolder(await stored(more), { notice: (one) => notices.push(one) });
      expect(notices.map(({ where }) => where)).toEqual([`config.json: ${key}`]);
      expect(notices[0]!.message).toMatch(
        /^Quantised weights are stated \(.+\), but the weights are stored as/,
      );
    },
  );

  it('that a file beside config.json tells of are told once', async () => {
    const notices: string[] = [];
    const folder = await whole({ 'quantize_config.json': '{"bits": 4}' });
    await openFolder(folder, { notice: ({ where }) => notices.push(where) });
    expect(notices).toEqual(['quantize_config.json']);
  });
});
