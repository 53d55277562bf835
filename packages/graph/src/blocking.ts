import { add, constant, lessOrEqual, maximum, mostNegative, where } from './ops.js';
import type { DType } from './tensor-type.js';
import type { Value } from './value.js';

/** The score of a blocked key: the most negative finite number of the type. */
export const blockedScore = (dtype: DType): number => (dtype === 'float16' ? -65504 : mostNegative);

/**
 * The largest bias that blocks a key. Beside such numbers nothing is left of a score in this type, so that all keys that
 * have one are alike.
 */
export const blockingBias = (dtype: DType): number => (dtype === 'float16' ? -32752 : -1e9);

/** A bias whose blocking numbers, -Infinity among them, are all the score of a blocked key. */
export const withBlocks = (bias: Value): Value =>
  where(lessOrEqual(bias, blockingBias(bias.dtype)), constant(blockedScore(bias.dtype), bias.dtype), bias);

/** What is added to scores for a mask, 0 or the score of a blocked key, and a bias: a key that both block is blocked once. */
export const joinBlocks = (mask: Value, bias: Value): Value =>
  maximum(add(mask, withBlocks(bias)), blockedScore(bias.dtype));

/**
 * Scores with a bias, which broadcasts to them, where blocked keys all have the same score.
 *
 * @param bias 0, the score of a blocked key, or a number that blocks nothing
 */
export function withBias(scores: Value, bias: Value): Value {
  const sum = add(scores, bias);
  // In float32 nothing is left of a score beside the most negative number; in float16 a few bits are.
  if (scores.dtype !== 'float16') return sum;
  return where(lessOrEqual(bias, blockingBias('float16')), constant(blockedScore('float16'), 'float16'), sum);
}
