import { ConfigError, parseJson, UnsupportedError } from '@weft/errors';
import { joinArrays, watched } from '@weft/feeds';
import type { TensorData } from '@weft/graph';
import { part, type Json } from '@weft/spec';
import { createTokenizer } from '@weft/text';
import { files, openSafetensors, type SafetensorsFile } from '@weft/weights';
import { readBatch, runColumns, seenAt, withSequences, type PaddedBatch } from './forward.js';
import { readsAnewBeyond } from './generator.js';
import { rowsOf } from './batch-sight.js';
import { folderPath, requireModelFolder } from './folder-kind.js';
import { load, type LoadOptions } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { argmax } from './logits-warpers.js';
import {
  check,
  hasShape,
  requireShape,
  type Metadata,
  type Tensors,
  type VerifyCheck,
} from './verify-check.js';
import { processorChecks } from './verify-processor.js';
import { uncomparedChecks } from './verify-uncompared.js';

export interface VerifyReport {
  /** Absolute path of the checkpoint. */
  readonly folder: string;
  /** Recipe that built the model. */
  readonly recipe: string;
  readonly checks: readonly VerifyCheck[];
}

/**
 * Of float32 results, relative to the largest value of the reference. The order of float32 sums alone makes up to 2.1e-6
 * in all golden folders of this repository; the smallest known fault of a formula, an exact GELU in the place of its
 * approximation, makes 9.5e-5.
 */
const relativeTolerance = 2e-5;

export interface VerifyOptions extends Pick<LoadOptions, 'model' | 'parts' | 'signal'> {}

/**
 * Compares a checkpoint folder with the reference outputs in its `golden.safetensors`: every check that the file's
 * contents allow. A tensor of the file that was neither compared nor read is a failed check that names it. A folder
 * without a tokenizer is enough unless the file has ids to expect. A `model` made by hand takes the place of the one that
 * `config.json` describes.
 *
 * @throws ConfigError if there is no folder, or no `golden.safetensors` in it
 * @throws UnsupportedError if the file says that it is of another kind than this reads
 * @throws InputError if its inputs do not fit the model
 */
export async function verify(
  folder: string,
  { model, parts, signal }: VerifyOptions = {},
): Promise<VerifyReport> {
  const path = folderPath(folder);
  const { tensors: golden, metadata } = await readGolden(path, folder);
  if (metadata['kind'] !== undefined)
    throw new UnsupportedError({
      message: `The kind of the golden file is '${metadata['kind']}', and files with a kind cannot be compared.`,
      where: files.join(path, 'golden.safetensors'),
      hint: 'A file of input_ids and what a model answers to them has no kind.',
    });
  const hasTexts = 'expected_input_ids' in golden || (await files.exists(files.join(path, 'tokenizer.json')));
  const loaded = await load(path, {
    model,
    recipe: model ? undefined : recipeOptions(path, metadata),
    parts,
    signal,
    // Nothing is asked of it.
    tokenizer: hasTexts ? undefined : createTokenizer({ model: { type: 'BPE', vocab: {}, merges: [] } }),
  });
  try {
    const computed: VerifyCheck[] = [];
    let positions: VerifyCheck[] = [];
    const given = watched(golden);
    if (golden['input_ids']) {
      const batch = await readBatch(loaded.parts.engine, loaded.model, given.tensors);
      signal?.throwIfAborted();
      positions = positionChecks(golden, batch);
      computed.push(...(await featureChecks(loaded, golden, batch)));
      if (golden['logits']) computed.push(...(await logitChecks(loaded, golden['logits'], batch)));
      signal?.throwIfAborted();
      if (golden['generated']) computed.push(await generatedCheck(loaded, golden['generated'], batch));
      signal?.throwIfAborted();
    }
    const prepared = [...positions, ...(await processorChecks(loaded, golden, metadata))];
    const uncompared = uncomparedChecks(golden, { computed, prepared }, given.asked);
    return { folder: path, recipe: loaded.model.name, checks: [...computed, ...prepared, ...uncompared] };
  } finally {
    await loaded.close();
  }
}

async function readGolden(
  folder: string,
  given: string,
): Promise<{ readonly tensors: Tensors; readonly metadata: Metadata }> {
  const path = files.join(folder, 'golden.safetensors');
  if (!(await files.exists(path).catch(() => false))) {
    await requireModelFolder(given);
    throw new ConfigError({
      message: 'The folder has no golden.safetensors to compare with.',
      where: folder,
      hint: 'Write one with the reference implementation; tools/golden shows how.',
    });
  }
  const file = await openSafetensors(path);
  try {
    // Names are the file's: none of them may be a word of the language.
    const tensors = Object.create(null) as Record<string, TensorData>;
    for (const name of file.tensors.keys()) tensors[name] = await readTensor(file, name);
    return { tensors, metadata: file.metadata };
  } finally {
    await file.close();
  }
}

/** Choices that the reference made and no file of the checkpoint states: JSON in the metadata. */
function recipeOptions(folder: string, { recipe_options: text = '{}' }: Metadata): Json {
  try {
    return parseJson(text) as Json;
  } catch (cause) {
    throw new ConfigError({
      message: `recipe_options of golden.safetensors is not JSON: ${text}.`,
      where: folder,
      cause,
    });
  }
}

async function readTensor(file: SafetensorsFile, name: string): Promise<TensorData> {
  const { dtype, shape } = file.tensors.get(name)!;
  if (dtype.startsWith('F') || dtype === 'BF16')
    return { dtype: 'float32', shape, data: await file.readFloat32(name) };
  const bytes = await file.read(name);
  if (dtype === 'I64') return { dtype: 'int64', shape, data: new BigInt64Array(bytes.buffer) };
  if (dtype === 'I32') return { dtype: 'int32', shape, data: new Int32Array(bytes.buffer) };
  return { dtype: 'uint8', shape, data: bytes };
}

/** Largest difference over the places that count, relative to the largest reference value there. */
function relativeDifference(
  name: string,
  actual: Float32Array,
  reference: TensorData,
  counts: (at: number) => boolean = () => true,
): VerifyCheck {
  const wanted = reference.data as Float32Array;
  let [difference, largest] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    if (!counts(i)) continue;
    const here = Math.abs(actual[i]! - wanted[i]!);
    // A value that is not a number must not pass, and comparisons with it are false.
    if (!(here <= difference)) difference = Number.isNaN(here) ? Infinity : here;
    largest = Math.max(largest, Math.abs(wanted[i]!));
  }
  return check(name, largest > 0 ? difference / largest : difference, relativeTolerance);
}

async function featureChecks(
  { model, parts: { engine } }: LoadedModel,
  golden: Tensors,
  { pictures }: PaddedBatch,
): Promise<VerifyCheck[]> {
  const reference = golden['image_features'];
  if (!reference) return [];
  const features = [];
  for (const picture of pictures) features.push(await engine.embeds(picture));
  const actual = joinArrays(features);
  const { hiddenSize } = part(model, 'backbone').shape;
  requireShape('image_features', reference, [actual.length / hiddenSize, hiddenSize]);
  return [relativeDifference('image_features', actual, reference)];
}

/** Positions by the model's rule. The measure is the number of positions that differ. */
function positionChecks(
  { expected_position_ids: reference }: Tensors,
  { counted, mask }: PaddedBatch,
): VerifyCheck[] {
  if (!reference) return [];
  const wanted = reference.data as BigInt64Array;
  const { data: actual, shape } = counted.positionIds;
  if (!hasShape(reference, shape)) return [check('position_ids', Infinity, 0)];
  return [
    check(
      'position_ids',
      actual.filter((position, i) => mask[i % mask.length] === 1n && position !== wanted[i]).length,
      0,
    ),
  ];
}

/** The full forward, and the same tokens in two pieces and then one by one on the cache. */
async function logitChecks(
  { model, parts: { engine } }: LoadedModel,
  reference: TensorData,
  batch: PaddedBatch,
): Promise<VerifyCheck[]> {
  const { vocabSize } = part(model, 'backbone').shape;
  requireShape('logits', reference, [batch.batch, batch.length, vocabSize]);
  const counts = (at: number): boolean => batch.mask[Math.floor(at / vocabSize)] === 1n;
  const runAll = (cuts: readonly number[]): Promise<Float32Array> =>
    withSequences(engine, batch, async (sequences) => {
      const result = new Float32Array(batch.batch * batch.length * vocabSize);
      for (const [i, start] of cuts.entries()) {
        const end = cuts[i + 1] ?? batch.length;
        const logits = await runColumns(engine, sequences, model, batch, [start, end]);
        const width = (end - start) * vocabSize;
        for (let row = 0; row < batch.batch; row++)
          result.set(
            logits.subarray(row * width, (row + 1) * width),
            (row * batch.length + start) * vocabSize,
          );
      }
      return result;
    });
  const half = Math.ceil(batch.length / 2);
  const steps = [
    ...new Set([0, Math.ceil(half / 2), ...Array.from({ length: batch.length - half }, (_, i) => half + i)]),
  ];
  return [
    relativeDifference('logits', await runAll([0]), reference, counts),
    relativeDifference('logits-cached', await runAll(steps), reference, counts),
  ];
}

/** Greedy continuation on the cache. The measure is the number of tokens that differ. */
async function generatedCheck(
  { model, parts: { engine } }: LoadedModel,
  reference: TensorData,
  batch: PaddedBatch,
): Promise<VerifyCheck> {
  const { vocabSize } = part(model, 'backbone').shape;
  const rows = batch.batch;
  // One token at least: a continuation of none would be equal to any other.
  const count = Math.max(1, reference.shape[1] ?? 1);
  requireShape('generated', reference, [rows, count]);
  const { next } = batch.counted;
  const { data: positionIds } = batch.counted.positionIds;
  const axes = positionIds.length / (rows * batch.length);
  const wanted = reference.data as BigInt64Array;
  const border = readsAnewBeyond(model);
  const texts = rowsOf(batch).map(({ ids }) => [...ids]);
  const different = await withSequences(engine, batch, async (sequences) => {
    const all = await runColumns(engine, sequences, model, { ...batch, positionIds }, [0, batch.length]);
    let logits: readonly Float32Array[] = sequences.map((_, row) => {
      const end = lastPlace(batch, row) + 1;
      return all.subarray((end - 1) * vocabSize, end * vocabSize);
    });
    let different = 0;
    for (let step = 0; step < count; step++) {
      const tokens = logits.map(argmax);
      different += tokens.filter((token, row) => BigInt(token) !== wanted[row * count + step]).length;
      if (step === count - 1) break;
      for (const [row, text] of texts.entries()) text.push(tokens[row]!);
      const anew = texts.map((text) => border !== undefined && text.length === border + 1);
      for (const [row, id] of sequences.entries()) if (anew[row]) await engine.truncate(id, 0);
      logits = await engine.step(
        sequences.map((id, row) => ({
          id,
          ids: anew[row] ? texts[row]! : [tokens[row]!],
          positions: anew[row]
            ? [texts[row]!.map((_, at) => at)]
            : Array.from({ length: axes }, () => [next[row]! + step]),
          // A token that is generated sees what the last one saw.
          seen: batch.seenPictures.length > 0 ? seenAt(batch, row, [lastPlace(batch, row)]) : undefined,
        })),
      );
    }
    return different;
  });
  return check('generated', different, 0);
}

/** Place of a row's last token that is not padding. */
function lastPlace({ mask, length }: PaddedBatch, row: number): number {
  return row * length + mask.subarray(row * length, (row + 1) * length).lastIndexOf(1n);
}
