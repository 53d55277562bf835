import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { namedParameters, type TensorData } from '@weft/graph';
import { modelOf } from '@weft/models';
import { readCheckpointFiles, readEntry } from '@weft/runtime';
import type { Json, Model } from '@weft/spec';
import { matchWeights, openCheckpoint, openSafetensors, toFloat32, wholeTensor } from '@weft/weights';

export const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../models/__fixtures__/${name}`, import.meta.url));

/** Where a parameter is in the files of its checkpoint. */
export interface StoredPlace {
  readonly tensor: string;
  /** First element within the tensor. */
  readonly start: number;
}

/** A golden folder as training takes it. */
export interface TrainingFixture {
  readonly folder: string;
  readonly model: Model;
  readonly weights: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;
  readonly places: ReadonlyMap<string, StoredPlace>;
}

export async function openFixture(name: string): Promise<TrainingFixture> {
  const folder = fixture(name);
  const { config, preprocessor, videoPreprocessor } = await readCheckpointFiles(folder);
  const golden = await openSafetensors(join(folder, 'golden.safetensors'));
  await golden.close();
  const options = JSON.parse(golden.metadata['recipe_options'] ?? '{}') as Json;
  const model = await modelOf(config, { preprocessor, videoPreprocessor, options });
  const checkpoint = await openCheckpoint(folder);
  await checkpoint.close();
  const parameters = namedParameters(model.module);
  const { entries } = matchWeights({ expected: parameters, file: checkpoint, ...model.checkpoint });
  const weights = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  const places = new Map<string, StoredPlace>();
  for (const [path, stored] of entries) {
    const entry = wholeTensor(stored);
    const { shape } = parameters.get(path)!;
    weights.set(path, { shape, data: toFloat32(await readEntry(entry), entry.dtype) });
    const [tensor, whole] = [...checkpoint.tensors].find(
      ([, { file, offset, byteLength }]) =>
        file === entry.file && offset <= entry.offset && entry.offset < offset + byteLength,
    )!;
    const width = entry.byteLength / shape.reduce((product, size) => product * size, 1);
    places.set(path, { tensor, start: (entry.offset - whole.offset) / width });
  }
  return { folder, model, weights, places };
}

/** Forward inputs of a golden folder's pictures under their Hugging Face names. */
export async function goldenImages(folder: string): Promise<Record<string, TensorData>> {
  const file = await openSafetensors(join(folder, 'golden.safetensors'));
  // What tokens see of pictures is the model's own rule while it is trained.
  const text =
    /^(expected_.*|input_ids|attention_mask|cross_attention_mask|position_ids|mm_token_type_ids|logits|image_features|generated)$/;
  const tensors: Record<string, TensorData> = {};
  for (const [name, { dtype, shape }] of file.tensors) {
    if (text.test(name)) continue;
    tensors[name] =
      dtype === 'I64'
        ? { dtype: 'int64', shape, data: new BigInt64Array((await file.read(name)).buffer) }
        : { dtype: 'float32', shape, data: await file.readFloat32(name) };
  }
  await file.close();
  return tensors;
}

export const readJson = async <T>(url: URL): Promise<T> => JSON.parse(await readFile(url, 'utf8')) as T;
