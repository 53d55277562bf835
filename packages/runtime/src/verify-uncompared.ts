import { check, type Tensors, type VerifyCheck } from './verify-check.js';

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
      : results.has(name) || asked.has(name);
  return Object.keys(golden)
    .filter((name) => !counts(name))
    .map((name) => check(`${name}-uncompared`, 1, 0));
}
