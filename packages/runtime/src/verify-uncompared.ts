import { check, type Tensors, type VerifyCheck } from './verify-check.js';

/** Inputs of the reference that say nothing new: what is in them follows from the tensor named here. */
const derived: ReadonlyMap<string, string> = new Map([
  ['pixel_mask', 'pixel_values'],
  ['pixel_attention_mask', 'pixel_values'],
  ['num_tiles', 'pixel_values'],
  ['mm_token_type_ids', 'input_ids'],
  ['token_type_ids', 'input_ids'],
  ['second_per_grid_ts', 'video_grid_thw'],
]);

/** Tensors, and the names of those that were asked for. */
export function watched(tensors: Tensors): { readonly tensors: Tensors; readonly asked: Set<string> } {
  const asked = new Set<string>();
  const proxy = new Proxy(tensors, {
    get: (target, name: string) => {
      asked.add(name);
      return target[name];
    },
  });
  return { tensors: proxy, asked };
}

/** Checks of what the model computes, and of what its processor and tokenizer prepare. */
export interface DoneChecks {
  readonly computed: readonly VerifyCheck[];
  /** Each compares a tensor `expected_…`. */
  readonly prepared: readonly VerifyCheck[];
}

/**
 * A failed check for each tensor of a golden file that no check compares and no input of the model is: a result that
 * nobody reads proves nothing. The measure is the number of such tensors.
 *
 * @param asked names of the inputs that the model has read
 */
export function uncomparedChecks(
  golden: Tensors,
  { computed, prepared }: DoneChecks,
  asked: ReadonlySet<string>,
): VerifyCheck[] {
  const namesOf = (checks: readonly VerifyCheck[]) => new Set(checks.map(({ name }) => name));
  const [results, expected] = [namesOf(computed), namesOf(prepared)];
  const counts = (name: string): boolean =>
    name.startsWith('expected_')
      ? expected.has(name.slice('expected_'.length))
      : results.has(name) || asked.has(name) || Object.hasOwn(golden, derived.get(name) ?? '');
  return Object.keys(golden)
    .filter((name) => !counts(name))
    .map((name) => check(`${name}-uncompared`, 1, 0));
}
