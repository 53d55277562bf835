import type { Model } from '@weft/spec';
import { quantizedFile, type CachedFile, type CacheOptions, type QuantizeJob } from '@weft/quantize';
import { isJoined, type WeightEntry } from '@weft/weights';
import type { StoredPlan } from './weight-location.js';
import { chooseWeights, type ChosenWeight, type DtypeOption } from './weight-forms.js';

/** Weights of a model in blocks, in a file of the cache. */
export interface SmallStorage {
  readonly plan: StoredPlan;
  /** The matrices in blocks. */
  readonly chosen: readonly ChosenWeight[];
  /** Nothing is stored in blocks if there is none. */
  readonly file: CachedFile | undefined;
}

/**
 * The weights of a model in the form that is wanted: rounded and written to the cache, or found there.
 *
 * @param entries where the weights lie in the checkpoint; one that is stored in several tensors stays as it is
 * @throws InputError for an option that says nothing of this model
 * @throws WeightError for weights that are not finite
 */
export async function smallStorage(
  model: Model,
  entries: ReadonlyMap<string, WeightEntry>,
  dtype: DtypeOption,
  options: CacheOptions = {},
): Promise<SmallStorage> {
  const jobs: QuantizeJob[] = [];
  const chosen = chooseWeights(model, dtype).filter((weight) => {
    const entry = entries.get(weight.path);
    if (!entry || isJoined(entry)) return false;
    const { file, offset, dtype: stored } = entry;
    const { path: name, shape, scheme } = weight;
    jobs.push({ name, source: { file, offset, dtype: stored }, shape, scheme });
    return true;
  });
  const file = jobs.length > 0 ? await quantizedFile(jobs, options) : undefined;
  return { plan: (path) => file?.blocks.get(path), chosen, file };
}
