import * as g from '@weft/graph';
import { inference } from '@weft/onnx';
import { describe, expect, it } from 'vitest';
import { countOperations } from './count-operations.js';

const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });

describe('the products of attention', () => {
  it.each(['time-major', 'head-major'] as const)(
    'are as many when the earlier tokens lie in a cache of the graph (%s)',
    (layout) => {
      const [q, kv] = [
        g.input('q', f32('batch', 'sequence', 4, 6)),
        g.input('kv', f32('batch', 'sequence', 2, 6)),
      ];
      const seen = g.input('seen', f32('batch', 'keys', 2, 6));
      const once = g.attend(q, kv, kv, { mask: 'causal', cache: 'append' });
      const graph = g.makeGraph({ y: g.attend(once, seen, seen, { cache: 'hold' }) });
      const sizes = { batch: 2, sequence: 3, keys: 5 };
      const { flops } = countOperations(Object.values(graph.outputs), sizes, { past: 7 });
      // Two products of 4 heads of 6 numbers: over 7 + 3 keys, and over 5.
      expect(flops).toBe(2 * 2 * 3 * 4 * 2 * 6 * (10 + 5));
      const { graph: cached } = inference(graph, { layout });
      expect(countOperations([cached.outputs['y']!], { ...sizes, past: 7 }).flops).toBe(flops);
    },
  );
});
