import { readFile, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ConfigError, InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import type { Picture } from '@weft/spec';
import { openSafetensors, type SafetensorsFile } from '@weft/weights';
import { expectedInputs, withoutPadding } from './encoder-inputs.js';
import { readBatch, runColumns, type ForwardInputs, type PaddedBatch } from './forward.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { buildPrompt, readPicture } from './prompt.js';
import { argmax } from './sampling.js';

/** One comparison with the reference. */
export interface VerifyCheck {
  readonly name: string;
  /** Largest difference, in the check's own measure; see the README. */
  readonly maxDiff: number;
  /** Largest difference that passes. */
  readonly tolerance: number;
  readonly ok: boolean;
}

export interface VerifyReport {
  /** Absolute path of the checkpoint. */
  readonly folder: string;
  /** Recipe that built the model. */
  readonly recipe: string;
  readonly checks: readonly VerifyCheck[];
}

/** Of float32 results, relative to the largest value of the reference. */
const relativeTolerance = 1e-4;
/** Share of pixel values that may differ at all. */
const unequalShare = 1e-3;

type Tensors = Readonly<Record<string, TensorData>>;

/**
 * Compares a checkpoint folder with the reference outputs in its `golden.safetensors`: every check that the file's
 * contents allow.
 *
 * @throws ConfigError if there is no `golden.safetensors`
 * @throws InputError if its inputs do not fit the model
 */
export async function verify(folder: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<VerifyReport> {
  const path = resolve(folder);
  const golden = await readGolden(path);
  const loaded = await load(path, signal ? { signal } : {});
  try {
    const checks: VerifyCheck[] = [];
    const inputs = golden as Tensors & ForwardInputs;
    if (golden['input_ids']) {
      const batch = await readBatch(loaded.parts.engine, loaded.model, inputs);
      signal?.throwIfAborted();
      checks.push(...featureChecks(golden, batch));
      if (golden['logits']) checks.push(...(await logitChecks(loaded, golden['logits'], batch)));
      signal?.throwIfAborted();
      if (golden['generated']) checks.push(await generatedCheck(loaded, golden['generated'], batch));
      signal?.throwIfAborted();
    }
    checks.push(...(await processorChecks(loaded, golden)));
    return { folder: path, recipe: loaded.model.name, checks };
  } finally {
    await loaded.close();
  }
}

async function readGolden(folder: string): Promise<Tensors> {
  const path = join(folder, 'golden.safetensors');
  if (!(await readdir(folder).catch(() => [] as string[])).includes('golden.safetensors'))
    throw new ConfigError({
      message: 'The folder has no golden.safetensors to compare with.',
      where: folder,
      hint: 'Write one with the reference implementation; tools/golden shows how.',
    });
  const file = await openSafetensors(path);
  try {
    const tensors: Record<string, TensorData> = {};
    for (const name of file.tensors.keys()) tensors[name] = await readTensor(file, name);
    return tensors;
  } finally {
    await file.close();
  }
}

async function readTensor(file: SafetensorsFile, name: string): Promise<TensorData> {
  const { dtype, shape } = file.tensors.get(name)!;
  if (dtype.startsWith('F') || dtype === 'BF16') return { dtype: 'float32', shape, data: await file.readFloat32(name) };
  const bytes = await file.read(name);
  if (dtype === 'I64') return { dtype: 'int64', shape, data: new BigInt64Array(bytes.buffer) };
  if (dtype === 'I32') return { dtype: 'int32', shape, data: new Int32Array(bytes.buffer) };
  return { dtype: 'uint8', shape, data: bytes };
}

const check = (name: string, maxDiff: number, tolerance: number): VerifyCheck => ({ name, maxDiff, tolerance, ok: maxDiff <= tolerance });

/** Largest difference over the places that count, relative to the largest reference value there. */
function relativeDifference(name: string, actual: Float32Array, reference: TensorData, counts: (at: number) => boolean = () => true): VerifyCheck {
  const wanted = reference.data as Float32Array;
  if (actual.length !== wanted.length)
    throw new InputError({
      message: `The model gives ${actual.length} values, but ${name} of the golden file is [${reference.shape.join(', ')}].`,
      where: 'golden.safetensors',
      hint: 'The file belongs to another model or configuration.',
    });
  let [difference, largest] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    if (!counts(i)) continue;
    const here = Math.abs(actual[i]! - wanted[i]!);
    // A value that is no number must not pass, and comparisons with it are false.
    if (!(here <= difference)) difference = Number.isNaN(here) ? Infinity : here;
    largest = Math.max(largest, Math.abs(wanted[i]!));
  }
  return check(name, largest > 0 ? difference / largest : difference, relativeTolerance);
}

function featureChecks(golden: Tensors, { imageEmbeds }: PaddedBatch): VerifyCheck[] {
  const reference = golden['image_features'];
  return reference ? [relativeDifference('image_features', imageEmbeds, reference)] : [];
}

/** The full forward, and the same tokens in two pieces and then one by one on the cache. */
async function logitChecks({ model, parts: { engine } }: LoadedModel, reference: TensorData, batch: PaddedBatch): Promise<VerifyCheck[]> {
  const { vocabSize } = model.backbone.shape;
  const counts = (at: number): boolean => batch.mask[Math.floor(at / vocabSize)] === 1n;
  const runAll = async (cuts: readonly number[]): Promise<Float32Array> => {
    const cache = await engine.open(batch.batch);
    const result = new Float32Array(batch.batch * batch.length * vocabSize);
    for (const [i, start] of cuts.entries()) {
      const end = cuts[i + 1] ?? batch.length;
      const logits = await runColumns(engine, cache, model, batch, [start, end]);
      const width = (end - start) * vocabSize;
      for (let row = 0; row < batch.batch; row++)
        result.set(logits.subarray(row * width, (row + 1) * width), (row * batch.length + start) * vocabSize);
    }
    await engine.release(cache);
    return result;
  };
  const half = Math.ceil(batch.length / 2);
  const steps = [...new Set([0, Math.ceil(half / 2), ...Array.from({ length: batch.length - half }, (_, i) => half + i)])];
  return [
    relativeDifference('logits', await runAll([0]), reference, counts),
    relativeDifference('logits-cached', await runAll(steps), reference, counts),
  ];
}

/** Greedy continuation on the cache. The measure is the number of tokens that differ. */
async function generatedCheck({ model, parts: { engine } }: LoadedModel, reference: TensorData, batch: PaddedBatch): Promise<VerifyCheck> {
  const { vocabSize } = model.backbone.shape;
  const [rows = 0, count = 0] = reference.shape;
  if (rows !== batch.batch)
    throw new InputError({ message: `generated has ${rows} rows, but input_ids has ${batch.batch}.`, where: 'golden.safetensors' });
  const lengths = Array.from({ length: rows }, (_, row) =>
    Number(batch.mask.subarray(row * batch.length, (row + 1) * batch.length).reduce((sum, one) => sum + one, 0n)),
  );
  const positionIds = batch.mask.map((_, flat) => {
    const before = batch.mask.subarray(Math.floor(flat / batch.length) * batch.length, flat + 1).reduce((sum, one) => sum + one, 0n);
    return before > 0n ? before - 1n : 0n;
  });
  const cache = await engine.open(rows);
  let logits = await runColumns(engine, cache, model, { ...batch, positionIds }, [0, batch.length]);
  let width = batch.length * vocabSize;
  let different = 0;
  for (let step = 0; step < count; step++) {
    const tokens = Array.from({ length: rows }, (_, row) => argmax(logits.subarray((row + 1) * width - vocabSize, (row + 1) * width)));
    const wanted = reference.data as BigInt64Array;
    different += tokens.filter((token, row) => BigInt(token) !== wanted[row * count + step]).length;
    if (step === count - 1) break;
    logits = await engine.run(cache, {
      length: 1,
      inputIds: BigInt64Array.from(tokens, BigInt),
      positionIds: BigInt64Array.from(lengths, (length) => BigInt(length + step)),
      mask: new BigInt64Array(rows).fill(1n),
      logitPositions: BigInt64Array.from({ length: rows }, (_, row) => BigInt(row)),
      imagePositions: new BigInt64Array(0),
      imageEmbeds: new Float32Array(0),
    });
    width = vocabSize;
  }
  await engine.release(cache);
  return check('generated', different, 0);
}

/** `prompt.txt` and `image-*` through tokenizer and image processor. */
async function processorChecks(loaded: LoadedModel, golden: Tensors): Promise<VerifyCheck[]> {
  const { folder, model } = loaded;
  const { expected_input_ids: ids, expected_pixel_values: pixels } = golden;
  if (!ids && !pixels) return [];
  const pictures: Picture[] = [];
  const names = (await readdir(folder)).filter((name) => /^image-\d+\.(png|jpe?g|webp)$/.test(name));
  const numberOf = (name: string): number => Number(/\d+/.exec(name)![0]);
  for (const name of names.toSorted((a, b) => numberOf(a) - numberOf(b))) pictures.push(await readPicture(join(folder, name)));
  const checks: VerifyCheck[] = [];
  if (ids) {
    const text = await readFile(join(folder, 'prompt.txt'), 'utf8').catch((cause: unknown) => {
      throw new ConfigError({ message: 'The folder has expected_input_ids, but no prompt.txt.', where: folder, cause });
    });
    const prompt = buildPrompt(loaded.parts, { prompt: text }, pictures);
    const wanted = Array.from(ids.data as BigInt64Array, Number);
    const same = prompt.ids.filter((id, i) => id === wanted[i]).length;
    checks.push(check('input_ids', Math.max(wanted.length, prompt.ids.length) - same, 0));
  }
  if (pixels && model.vision) checks.push(...pixelChecks(loaded, pixels, pictures));
  return checks;
}

/**
 * Pixel values, with normalisation undone so that 1 is the range of a byte. What a byte becomes is asked of the
 * processor itself: it is linear in each channel.
 */
function pixelChecks({ model }: LoadedModel, reference: TensorData, pictures: readonly Picture[]): VerifyCheck[] {
  const { processor, encoder } = model.vision!;
  const name = Object.keys(encoder.inputs)[0]!;
  const rank = encoder.inputs[name]!.shape.length;
  const wanted = withoutPadding(reference, rank);
  expectedInputs(model, { [name]: wanted });
  const { inputs } = processor.process(pictures);
  const actual = inputs[name]!.data as Float32Array;
  const expected = wanted.data as Float32Array;
  if (actual.length !== expected.length) return [check('pixel_values', Infinity, 1 / 255), check('pixel_values-unequal', 1, unequalShare)];

  const uniform = (byte: number): Float32Array => {
    const { width, height } = pictures[0]!;
    const data = new Uint8Array(width * height * 3).fill(byte);
    return processor.process([{ width, height, channels: 3, data }]).inputs[name]!.data as Float32Array;
  };
  const [, channels = 3, ...sides] = wanted.shape;
  const plane = sides.reduce((product, side) => product * side, 1);
  const [black, white] = [uniform(0), uniform(255)];
  const middle = (Math.floor(sides[0]! / 2) * (sides[1] ?? 1)) + Math.floor((sides[1] ?? 1) / 2);
  const ranges = Array.from({ length: channels }, (_, channel) => Math.abs(white[channel * plane + middle]! - black[channel * plane + middle]!));
  let [largest, unequal] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!) / ranges[Math.floor(i / plane) % channels]!;
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
    // Less than a thousandth of a byte is the rounding of float32.
    if (!(difference <= 1e-3 / 255)) unequal++;
  }
  // A difference of one byte comes out as 1/255 with the same rounding.
  return [check('pixel_values', largest, 1.001 / 255), check('pixel_values-unequal', unequal / expected.length, unequalShare)];
}
