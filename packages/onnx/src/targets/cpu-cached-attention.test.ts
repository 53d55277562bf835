import { createHash } from 'node:crypto';
import * as g from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { emitModel } from '../emit.js';
import { inference } from '../inference.js';

const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });

/** Two layers that append, one of them with a window, and between them one that sees held keys, with a bias. */
function decoder(): g.Graph {
  const x = g.input('x', f32('batch', 'sequence', 4, 6));
  const kv = g.input('kv', f32('batch', 'sequence', 2, 6));
  const seen = g.input('seen', f32('batch', 'keys', 2, 6));
  const bias = g.input('bias', f32('batch', 1, 'sequence', 'keys'));
  const first = g.attend(x, kv, kv, { mask: 'causal', cache: 'append', scale: 0.5 });
  const second = g.attend(first, seen, seen, { cache: 'hold', bias });
  return g.makeGraph({ y: g.attend(second, kv, kv, { mask: 'causal', cache: 'append', window: 3 }) });
}

describe('attention to a cache on the processor', () => {
  // The bytes that ran when the golden figures were measured: speed and rounding of loaded models rest on them.
  it('is lowered to the nodes that were measured, byte for byte', () => {
    const { graph } = inference(decoder());
    const { bytes, nodeCount } = emitModel(graph, { weights: 'input' });
    expect(nodeCount).toBe(106);
    expect(createHash('sha256').update(bytes).digest('hex').slice(0, 32)).toBe(
      '411f334122e1426b8d6e4a2f82271e96',
    );
  });

  it('computes what queries see once for all layers that see alike', () => {
    const kv = g.input('kv', f32('batch', 'sequence', 2, 6));
    const layers = (count: number, window?: number) => {
      let x = g.input('x', f32('batch', 'sequence', 2, 6));
      for (let i = 0; i < count; i++)
        x = g.attend(x, kv, kv, {
          mask: 'causal',
          cache: 'append',
          ...(window === undefined || i % 2 === 0 ? {} : { window }),
        });
      return emitModel(inference(g.makeGraph({ x })).graph, { weights: 'input' }).nodeCount;
    };
    const perLayer = layers(4) - layers(3);
    expect(layers(3) - layers(2)).toBe(perLayer);
    expect(layers(1)).toBeGreaterThan(perLayer + 5);
    expect(layers(4, 3) - layers(2, 3)).toBe(2 * perLayer);
  });
});
