// Prints ratios of speeds measured in one run: the runtime against the same graph run bare, 16 requests at once against
// the same one after another, and a training step against the prototype's figure and, where WEFT_PYTHON names a Python with torch, against PyTorch.
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { namedParameters } from '../../packages/graph/dist/index.js';
import { initialWeights, presetModel, textGraph } from '../../packages/models/dist/index.js';
import { emitModel, inference } from '../../packages/onnx/dist/index.js';
import { load } from '../../packages/runtime/dist/index.js';
import { collate, listParameters, Optimizer, planStage } from '../../packages/train/dist/index.js';
import { openCheckpoint, writeCheckpoint, writeFileAtomic } from '../../packages/weights/dist/index.js';
import { llama } from '../../packages/backbone-llama/dist/index.js';
import { unifiedFusion } from '../../packages/fusion-unified/dist/index.js';
import { textModel } from '../../packages/models/dist/index.js';
import { concurrency } from './concurrency.mjs';

const ort = createRequire(import.meta.url)('onnxruntime-node');
const here = fileURLToPath(new URL('.', import.meta.url));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const line = (name, value) => console.log(`${name.padEnd(58)} ${value}`);

const [promptLength, newTokens, rounds] = [256, 32, 3];

/** A folder with the shape of Qwen2-0.5B in float32; the values matter to no one. */
async function makeFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'weft-bench-'));
  const model = await presetModel('qwen2-0.5b');
  const block = Float32Array.from({ length: 1 << 20 }, (_, i) => Math.sin(i * 12.9898) * 0.03);
  const bytes = new Uint8Array(block.buffer);
  const tensors = [...namedParameters(model.module)].map(([name, { shape, elements }]) => ({
    name,
    dtype: 'F32',
    shape,
    data: async () => {
      const data = new Uint8Array(elements * 4);
      for (let at = 0; at < data.length; at += bytes.length)
        data.set(bytes.subarray(0, Math.min(bytes.length, data.length - at)), at);
      return data;
    },
  }));
  await writeCheckpoint(folder, tensors);
  const fixture = join(here, '../../packages/models/__fixtures__/text-qwen2-tied');
  for (const file of ['tokenizer.json', 'tokenizer_config.json'])
    await cp(join(fixture, file), join(folder, file));
  await writeFileAtomic(
    join(folder, 'config.json'),
    JSON.stringify({ ...model.config, max_position_embeddings: 4096, eos_token_id: null }),
  );
  return folder;
}

async function generation() {
  const folder = await makeFolder();
  try {
    const model = await load(folder);
    const prompt = 'a b '.repeat(4 * promptLength);
    const ids = model.tokenizer.encode(prompt).slice(0, promptLength);
    const text = model.tokenizer.decode(ids);
    const ours = { prefill: [], decode: [] };
    let length = 0;
    for (let round = 0; round < rounds; round++) {
      const result = await model
        .generate({ prompt: text, maxNewTokens: newTokens, doSample: false })
        .result();
      length = result.promptTokens;
      ours.prefill.push(result.timings.prefill);
      ours.decode.push(result.timings.decode / Math.max(1, result.generatedTokens - 1));
    }
    await model.close();
    const bare = await bareRun(folder, length);
    line(
      `prefill of ${length} tokens, runtime`,
      `${((1000 * length) / median(ours.prefill)).toFixed(1)} tokens/s`,
    );
    line(
      `prefill of ${length} tokens, bare graph`,
      `${((1000 * length) / median(bare.prefill)).toFixed(1)} tokens/s`,
    );
    line('prefill, runtime / bare', (median(bare.prefill) / median(ours.prefill)).toFixed(3));
    line('decode, runtime', `${(1000 / median(ours.decode)).toFixed(2)} tokens/s`);
    line('decode, bare graph', `${(1000 / median(bare.decode)).toFixed(2)} tokens/s`);
    line('decode, runtime / bare', (median(bare.decode) / median(ours.decode)).toFixed(3));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same graph in one session of ONNX Runtime with fixed inputs: no thread, no sampling, no text. */
async function bareRun(folder, length) {
  const model = await presetModel('qwen2-0.5b');
  const checkpoint = await openCheckpoint(folder);
  const locate = (path) => {
    const { offset, byteLength, shape } = checkpoint.tensors.get(path);
    return { location: 'model.safetensors', offset, length: byteLength, dtype: 'float32', shape };
  };
  const { graph, cache } = inference(textGraph(model));
  const session = await ort.InferenceSession.create(emitModel(graph, { weights: locate }).bytes, {
    logSeverityLevel: 3,
    extra: { 'session.model_external_initializers_file_folder_path': checkpoint.path },
  });
  const int64 = (values, shape) => new ort.Tensor('int64', BigInt64Array.from(values, BigInt), shape);
  const feeds = (count, past) => ({
    input_ids: int64(
      Array.from({ length: count }, (_, i) => i % 100),
      [1, count],
    ),
    position_ids: int64(
      Array.from({ length: count }, (_, i) => past - 1 + i),
      [1, count],
    ),
    logit_positions: int64([count - 1], [1]),
    attention_mask: int64(
      Array.from({ length: past + count }, (_, i) => (i === 0 ? 0 : 1)),
      [1, past + count],
    ),
    ...Object.fromEntries(
      cache.map(({ past: name, heads, size }) => [
        name,
        new ort.Tensor('float32', new Float32Array(past * heads * size), [past, 1, heads, size]),
      ]),
    ),
  });
  const time = async (inputs) => {
    const begin = performance.now();
    await session.run(inputs);
    return performance.now() - begin;
  };
  const [prefill, decode] = [[], []];
  for (let round = 0; round < rounds; round++) prefill.push(await time(feeds(length, 1)));
  for (let step = 0; step < newTokens; step++) decode.push(await time(feeds(1, 1 + length + step)));
  await session.release();
  await checkpoint.close();
  return { prefill, decode };
}

/** The prototype's shape: a decoder of 3 million parameters, 16 sequences of 128 tokens. */
const prototype = {
  milliseconds: 147,
  hiddenSize: 256,
  intermediateSize: 640,
  numHiddenLayers: 4,
  numAttentionHeads: 8,
  headDim: 32,
  vocabSize: 512,
};

async function training() {
  const { milliseconds, ...sizes } = prototype;
  const backbone = llama({
    ...sizes,
    numKeyValueHeads: sizes.numAttentionHeads,
    rotaryDim: sizes.headDim,
    ropeTheta: 10000,
    rmsNormEps: 1e-5,
    hiddenAct: 'silu',
    tieWordEmbeddings: false,
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
  });
  const model = textModel({ name: 'bench', backbone, fusion: unifiedFusion() });
  const parameters = listParameters(model);
  const values = initialWeights(model.module, 1);
  const stage = { name: 'bench', trainable: ['backbone'], steps: 1000, batchSize: 16, learningRate: 1e-4 };
  const weights = new Map(parameters.map(({ path, shape }) => [path, { shape, data: values.get(path) }]));
  const optimizer = new Optimizer({ model, stage, planned: planStage(stage, parameters), weights });
  const inputIds = Array.from({ length: 128 }, (_, i) => (i * 37) % sizes.vocabSize);
  const batch = collate(
    Array.from({ length: 16 }, () => ({ inputIds, labels: inputIds, images: null })),
    model,
  );
  const times = [];
  for (let step = 0; step < 12; step++) {
    const begin = performance.now();
    await optimizer.update([batch]);
    if (step >= 4) times.push(performance.now() - begin);
  }
  await optimizer.release();
  const count = [...values.values()].reduce((sum, data) => sum + data.length, 0);
  line(`training step, ${(count / 1e6).toFixed(2)} M parameters, 16 x 128`, `${median(times).toFixed(0)} ms`);
  line(`training step, prototype's ${milliseconds} ms / ours`, (milliseconds / median(times)).toFixed(3));
  if (!process.env.WEFT_PYTHON) {
    line('training step, PyTorch / ours', 'set WEFT_PYTHON to a Python with torch to measure');
    return;
  }
  const torch = Number(
    execFileSync(process.env.WEFT_PYTHON, [join(here, 'torch_step.py'), JSON.stringify(sizes)], {
      encoding: 'utf8',
    }),
  );
  line('training step, eager PyTorch', `${torch.toFixed(0)} ms`);
  line('training step, PyTorch / ours', (torch / median(times)).toFixed(3));
}

await generation();
await concurrency(line);
await training();
