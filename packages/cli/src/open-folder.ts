import { namedParameters } from '@weft/graph';
import { modelOf } from '@weft/models';
import {
  importPackage,
  readCheckpointFiles,
  readEntry,
  type CheckpointFiles,
  type UnusedTensor,
} from '@weft/runtime';
import type { Model } from '@weft/spec';
import {
  matchWeights,
  openCheckpoint,
  toFloat32,
  wholeTensor,
  type Checkpoint,
  type WeightEntry,
} from '@weft/weights';

/** A checkpoint folder as it lies on the disk: nothing is computed and no weight is read yet. */
export interface OpenFolder {
  readonly files: CheckpointFiles;
  readonly model: Model;
  /** Its files and headers; it is closed. */
  readonly checkpoint: Checkpoint;
  /** The tensor of each parameter, or the tensors; a piece of a stored tensor where a checkpoint joins several. */
  readonly entries: ReadonlyMap<string, WeightEntry>;
  readonly unused: readonly UnusedTensor[];
}

/**
 * Opens a checkpoint folder and finds a tensor for every parameter.
 *
 * @throws ConfigError if a file is missing or no recipe knows the model
 * @throws WeightError if the weights do not fit the model, tensor by tensor
 */
export async function openFolder(folder: string): Promise<OpenFolder> {
  const files = await readCheckpointFiles(folder);
  const model = await modelOf(files.config, { ...files.recipe, importPackage });
  const checkpoint = await openCheckpoint(files.folder);
  await checkpoint.close();
  const matched = matchWeights({
    expected: namedParameters(model.module),
    file: checkpoint,
    ...model.checkpoint,
  });
  return { files, model, checkpoint, ...matched };
}

/**
 * All weights of a model as float32, by the paths of its parameters.
 *
 * @param report is told the share that was read, 0 to 1
 */
export async function readWeights(
  { entries }: OpenFolder,
  report: (share: number) => void,
): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  for (const [path, stored] of entries) {
    const entry = wholeTensor(stored);
    weights.set(path, toFloat32(await readEntry(entry), entry.dtype));
    report(weights.size / entries.size);
  }
  return weights;
}
