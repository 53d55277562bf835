import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openSafetensors } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveFiles, type FileServer } from '../test/file-server.js';
import { fixture } from '../test/fixtures.js';
import { load } from './load.js';

const folders = ['llava-clip', 'llava-sharded', 'text-bf16'];
const question = {
  prompt: '<image> A house',
  images: [
    { width: 12, height: 12, channels: 3, data: Uint8Array.from({ length: 432 }, (_, i) => (i * 37) % 256) },
  ],
  maxNewTokens: 6,
  doSample: false,
} as const;

/** Runs on the backends for browsers: fetch, and ONNX Runtime as WebAssembly. Prints what it found as JSON. */
const program = (base: string): string => `
  import { initialWeights } from '@weft/models';
  import { load, writeModel } from '@weft/runtime';
  import { openSafetensors } from '@weft/weights';
  const options = { worker: false, threads: 1 };

  async function logits(folder) {
    const golden = await openSafetensors(folder + '/golden.safetensors');
    const inputs = {};
    for (const name of ['input_ids', 'attention_mask'])
      inputs[name] = { dtype: 'int64', shape: golden.tensors.get(name).shape, data: new BigInt64Array((await golden.read(name)).buffer) };
    const pixels = golden.tensors.get('pixel_values');
    if (pixels) inputs.pixel_values = { dtype: 'float32', shape: pixels.shape, data: await golden.readFloat32('pixel_values') };
    const model = await load(folder, options);
    const { data } = await model.forward(inputs);
    await model.close();
    return Array.from(data);
  }

  const found = { logits: {} };
  for (const name of ${JSON.stringify(folders)}) found.logits[name] = await logits('${base}/' + name);

  const model = await load('${base}/llava-clip', options);
  const pixels = Uint8Array.from({ length: 432 }, (_, i) => (i * 37) % 256);
  const question = { ...${JSON.stringify({ ...question, images: [] })}, images: [{ width: 12, height: 12, channels: 3, data: pixels }] };
  found.answer = (await model.generate(question).result()).tokenIds;
  const { module } = model.model;
  found.refusal = await writeModel('${base}/new', { model: model.model, weights: initialWeights(module, 1), preprocessor: model.parts.preprocessor }).catch(String);
  await model.close();
  console.log(JSON.stringify(found));`;

interface Found {
  readonly logits: Readonly<Record<string, readonly number[]>>;
  readonly answer: readonly number[];
  readonly refusal: string;
}

let server: FileServer;
let found: Found;
beforeAll(async () => {
  server = await serveFiles(fixture(''));
  const options = ['--conditions=browser', '--input-type=module', '-e', program(server.base)];
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, options, { cwd, maxBuffer: 2 ** 26 });
  found = JSON.parse(stdout) as Found;
});
afterAll(() => server.close());

describe('load on the backends for browsers', () => {
  it.each(folders)('gives the logits of the golden file: %s', async (name) => {
    const golden = await openSafetensors(`${fixture(name)}/golden.safetensors`);
    const wanted = await golden.readFloat32('logits');
    const mask = new BigInt64Array((await golden.read('attention_mask')).buffer);
    await golden.close();
    const actual = found.logits[name]!;
    expect(actual).toHaveLength(wanted.length);
    let [difference, largest] = [0, 0];
    for (const [i, value] of wanted.entries()) {
      if (mask[Math.floor((i * mask.length) / wanted.length)] === 0n) continue;
      difference = Math.max(difference, Math.abs(actual[i]! - value));
      largest = Math.max(largest, Math.abs(value));
    }
    expect(difference / largest).toBeLessThan(2e-5);
  });

  it('answers a question about a picture like Node', async () => {
    const model = await load(fixture('llava-clip'), { worker: false });
    expect(found.answer).toEqual((await model.generate(question).result()).tokenIds);
    await model.close();
  });

  it('reads weights in ranges, neighbours at once', () => {
    const reads = server.reads.filter((read) => read.startsWith('/text-bf16/model.safetensors'));
    // The length of the header, the header, all tensors.
    expect(reads).toHaveLength(3);
    for (const read of reads) expect(read).toMatch(/ bytes=\d+-\d+$/);
  });

  it('refuses to write, and says where that works', () => {
    expect(found.refusal).toMatch(/UnsupportedError: A browser has no disk[^]*Write it in Node/);
  });
});
