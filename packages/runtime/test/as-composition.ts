import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { namedParameters } from '@weft/graph';
import { modelOf, weftConfigOf } from '@weft/models';
import type { Json, Model } from '@weft/spec';
import {
  matchWeights,
  openCheckpoint,
  openSafetensors,
  wholeTensor,
  type TensorToWrite,
} from '@weft/weights';
import { readCheckpointFiles } from '../src/checkpoint-files.js';
import { readEntry } from '../src/read-entry.js';
import { writeModel } from '../src/write-model.js';

/** The options of the recipe that a golden file was written with. */
async function recipeOptions(folder: string): Promise<Json> {
  const golden = await openSafetensors(join(folder, 'golden.safetensors'));
  await golden.close();
  return JSON.parse(golden.metadata['recipe_options'] ?? '{}') as Json;
}

/** Files that hold neither weights nor what describes the model. */
const isBeside = (name: string): boolean =>
  !/^(config|params|preprocessor_config|processor_config|video_preprocessor_config)\.json$/.test(name) &&
  (!name.includes('.safetensors') || name === 'golden.safetensors');

/**
 * Writes a checkpoint folder anew as `model_type: weft`: each part by id and configuration, tensors under the model's own
 * paths, everything beside them copied.
 *
 * @returns the model as its recipe reads it
 */
export async function writeAsComposition(source: string, target: string): Promise<Model> {
  const { config, preprocessor, videoPreprocessor } = await readCheckpointFiles(source);
  const options = await recipeOptions(source);
  const model = await modelOf(config, { preprocessor, videoPreprocessor, options });
  const checkpoint = await openCheckpoint(source);
  const { entries } = matchWeights({
    expected: namedParameters(model.module),
    file: checkpoint,
    ...model.checkpoint,
  });
  await checkpoint.close();
  const weights = [...entries].map(([name, stored]): TensorToWrite => {
    const entry = wholeTensor(stored);
    return { name, dtype: entry.dtype, shape: entry.shape, data: () => readEntry(entry) };
  });
  await writeModel(target, { model: { ...model, config: weftConfigOf(model) }, weights });
  for (const name of await readdir(source))
    if (isBeside(name)) await cp(join(source, name), join(target, name));
  return model;
}
