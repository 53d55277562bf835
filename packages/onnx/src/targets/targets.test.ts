import * as g from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { emitModel } from '../emit.js';
import { inference } from '../inference.js';
import { targets, type TargetName } from './index.js';

const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });

/** A layer with most of what a decoder has, and an encoder's attention. */
function layer(): g.Graph {
  const x = g.input('x', f32('batch', 'sequence', 24));
  const [w, norm] = [g.input('w', f32(24, 24)), g.input('norm', f32(24))];
  const angles = ['cos', 'sin'].map((name) => g.input(name, f32('batch', 'sequence', 3)));
  const heads = g.reshape(g.linear(g.rmsNorm(x, norm, 1e-6), w), ['batch', 'sequence', 4, 6]);
  const q = g.rope(heads, angles[0]!, angles[1]!);
  const own = g.attend(q, q, heads, { mask: 'causal', cache: 'append' });
  const patches = g.input('patches', f32('tiles', 9, 4, 6));
  const seen = g.attend(patches, patches, patches);
  const product = g.matmul(own, own, { transposeA: true, alpha: 0.5 });
  return g.makeGraph({ y: g.silu(own), seen, product });
}

const emitted = (name: TargetName): string => {
  const { graph } = inference(layer(), { layout: targets[name].cacheLayout });
  return new TextDecoder('latin1').decode(
    emitModel(graph, { target: targets[name], weights: 'input' }).bytes,
  );
};

describe('targets', () => {
  it('have their own names', () => {
    for (const [name, target] of Object.entries(targets)) expect(target.name).toBe(name);
  });

  it('for comparison use operators of the default domain alone', () => {
    // Once in the list of operator sets, which every model has.
    expect(emitted('reference').split('com.microsoft').length - 1).toBe(1);
  });

  it('for WebGPU use no operator that its execution provider lacks', () => {
    const text = emitted('webgpu');
    expect(text).not.toContain('FusedMatMul');
    for (const type of ['Gemm', 'MultiHeadAttention', 'RotaryEmbedding', 'SimplifiedLayerNormalization'])
      expect(text).toContain(type);
  });

  it('read the cache as they say', () => {
    for (const [name, shape] of [
      ['cpu', ['past', 'batch', 4, 6]],
      ['webgpu', ['batch', 4, 'past', 6]],
    ] as const) {
      const { graph } = inference(layer(), { layout: targets[name].cacheLayout });
      expect(graph.inputs.get('past_key_values.0.key')!.shape).toEqual(shape);
    }
  });

  it('never see keys that are held as if they had an order', () => {
    const [q, k] = [g.input('q', f32(1, 3, 4, 6)), g.input('k', f32(1, 5, 4, 6))];
    const graph = g.makeGraph({ y: g.attend(q, k, k, { cache: 'hold', mask: 'causal' }) });
    expect(() => inference(graph)).toThrow(/held have no order/);
  });
});
