import {
  layerNorm as layerNormOp,
  module,
  Parameter,
  rmsNorm as rmsNormOp,
  type AnyModule,
  type Value,
} from '@weft/graph';

export type Norm = AnyModule & ((x: Value) => Value);

/** Root-mean-square norm over the last axis, with a weight. */
export const rmsNorm = (size: number, eps: number): Norm =>
  module('RmsNorm', { weight: new Parameter([size], { kind: 'ones' }) }, (m, x: Value) =>
    rmsNormOp(x, m.weight, eps),
  );

/** Layer norm over the last axis, with weight and bias. */
export const layerNorm = (size: number, eps: number): Norm =>
  module(
    'LayerNorm',
    { weight: new Parameter([size], { kind: 'ones' }), bias: new Parameter([size], { kind: 'zeros' }) },
    (m, x: Value) => layerNormOp(x, m.weight, m.bias, eps),
  );
