import { dimsOf, expand, mul, multiplyDims, reduceSum, reshape, type Value } from '@weft/graph';

/** Which experts a token goes through, and how much each counts. */
export interface Routing {
  /** int64 `[T, K]`. */
  readonly experts: Value;
  /** `[T, K]`. */
  readonly weights: Value;
}

/**
 * Mixture of experts: every token goes through its K experts, and their results are added by weight.
 *
 * @param x `[T, D]`
 * @param expert what the experts do: rows `[T * K, D]`, and the expert of each, int64 `[T * K]`, to `[T * K, D]`
 */
export function mixExperts(
  x: Value,
  { experts, weights }: Routing,
  expert: (rows: Value, experts: Value) => Value,
): Value {
  const [tokens, size] = dimsOf(x, 2);
  const chosen = dimsOf(experts, 2)[1];
  const rows = multiplyDims(tokens, chosen);
  const repeated = reshape(expand(reshape(x, [tokens, 1, size]), [tokens, chosen, size]), [rows, size]);
  const results = reshape(expert(repeated, reshape(experts, [rows])), [tokens, chosen, size]);
  return reduceSum(mul(results, reshape(weights, [tokens, chosen, 1])), [1]);
}
