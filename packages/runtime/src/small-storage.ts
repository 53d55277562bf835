import {
  exactForm,
  quantizedFile,
  type CachedFile,
  type CacheOptions,
  type PublishedForm,
  type QuantizeJob,
} from '@weft/quantize';
import type { Model } from '@weft/spec';
import { isJoined, type JoinedEntry, type WeightEntry } from '@weft/weights';
import { chooseWeights, type ChosenWeight, type DtypeOption } from './weight-forms.js';
import type { StoredPlan } from './weight-location.js';

/** Weights of a model that are kept in another way than in its files, in a file of the cache. */
export interface SmallStorage {
  readonly plan: StoredPlan;
  /** The matrices that were rounded. */
  readonly chosen: readonly ChosenWeight[];
  /** Nothing is kept in another way if there is none. */
  readonly file: CachedFile | undefined;
}

/**
 * The weights of a model in the form that is wanted: rounded and written to the cache, or found there. Matrices that the
 * files have in a published quantized form and that are not to be rounded are written as blocks of the same numbers where
 * there are such, else in float32.
 *
 * @param entries where the weights lie in the checkpoint
 * @throws InputError for an option that says nothing of this model
 * @throws WeightError for weights that are not finite, or tensors that do not make up a matrix
 */
export async function smallStorage(
  model: Model,
  entries: ReadonlyMap<string, WeightEntry>,
  dtype: DtypeOption,
  options: CacheOptions = {},
): Promise<SmallStorage> {
  const wanted = new Map(chooseWeights(model, dtype).map((weight) => [weight.path, weight]));
  const jobs: QuantizeJob[] = [];
  const chosen: ChosenWeight[] = [];
  for (const [name, entry] of entries) {
    const weight = wanted.get(name);
    // Joins of a model made by hand are read by a plan of its own.
    if (isJoined(entry) && entry.settings === undefined) continue;
    if (weight) chosen.push(weight);
    if (isJoined(entry)) {
      const shape = matrixShape(entry);
      const form = entry.settings as PublishedForm;
      const { pieces } = entry;
      const isExact = exactForm(form, shape[1], 'g_idx' in pieces) !== undefined;
      jobs.push({
        name,
        source: { form, pieces },
        shape,
        scheme: weight?.scheme ?? (isExact ? 'exact' : 'float'),
      });
    } else if (weight) {
      const { file, offset, dtype: stored } = entry;
      jobs.push({
        name,
        source: { file, offset, dtype: stored },
        shape: weight.shape,
        scheme: weight.scheme,
      });
    }
  }
  const file = jobs.length > 0 ? await quantizedFile(jobs, options) : undefined;
  return { plan: (path) => file?.blocks.get(path), chosen, file };
}

/** Rows and columns; what has more axes counts as its first by all others. */
function matrixShape({ shape: [rows = 1, ...others] }: JoinedEntry): readonly [number, number] {
  return [rows, others.reduce((product, size) => product * size, 1)];
}
