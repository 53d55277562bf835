import { ConfigError } from '@weft/errors';
import * as g from '@weft/graph';
import { inference, targets } from '@weft/onnx';
import { describe, expect, it } from 'vitest';
import { checkCachedDecoding } from './cached-decoding.js';
import { assertClose } from './compare.js';
import { interpret } from './interpret.js';
import { randomIntegers, randomParameters } from './random.js';

const [vocabulary, heads, size] = [11, 4, 6];
const model = g.module(
  'OneLayer',
  { table: new g.Parameter([vocabulary, heads * size]), head: new g.Parameter([vocabulary, heads * size]) },
  {},
);

/** One layer of attention without rotary embedding, with a bias that is made of the positions `[B, L]`. */
const decoder = (biasOf: (positions: g.Value) => g.Value): g.Graph => {
  const ids = { dtype: 'int64', shape: ['batch', 'sequence'] } as const;
  return g.trace(model, { input_ids: ids, position_ids: ids }, ({ input_ids, position_ids }) => {
    const x = g.reshape(g.embedding(input_ids, g.parameterValue(model.parts.table)), [
      'batch',
      'sequence',
      heads,
      size,
    ]);
    const bias = biasOf(g.cast(position_ids, 'float32'));
    const y = g.attend(x, x, x, { mask: 'causal', cache: 'append', bias });
    return { logits: g.linear(g.reshape(y, ['batch', 'sequence', heads * size]), model.parts.head as never) };
  });
};
