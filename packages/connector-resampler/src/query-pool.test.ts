import { ShapeError } from '@weft/errors';
import { trace, type Shape } from '@weft/graph';
import type { Connector } from '@weft/spec';
import { checkGolden, testConnector, testDefinition } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { queryPoolConnector, queryPoolPart } from './query-pool.js';

const tiny = { queriesOfPatches: { 6: 3, 8: 5 }, numHeads: 2 };

testConnector({
  tiny: queryPoolConnector(tiny),
  variants: {
    'more queries': queryPoolConnector({ queriesOfPatches: { 6: 4, 8: 5 }, numHeads: 2 }),
  },
  context: { visionSize: 6, textSize: 5, grid: [2, 3] },
  names: {
    query: [5, 6],
    'cross_attn.q_proj.weight': [6, 6],
    'cross_attn.k_proj.weight': [6, 6],
    'cross_attn.v_proj.weight': [6, 6],
    'cross_attn.multihead_attn.in_proj_weight': [18, 6],
    'cross_attn.multihead_attn.in_proj_bias': [18],
    'cross_attn.multihead_attn.out_proj.weight': [6, 6],
    'cross_attn.multihead_attn.out_proj.bias': [6],
    'cross_attn.linear.weight': [6, 6],
    'cross_attn.linear.bias': [6],
    'cross_attn.layer_norm.weight': [6],
    'cross_attn.layer_norm.bias': [6],
    'cross_attn.layer_norm_kv.weight': [6],
    'cross_attn.layer_norm_kv.bias': [6],
    'layer_norm.weight': [6],
    'layer_norm.bias': [6],
    'feed_forward.linear_in.weight': [5, 6],
    'feed_forward.linear_out.weight': [5, 5],
  },
});

describe('queryPoolConnector', () => {
  it("gives the reference's rows at a fixed grid", async () => {
    const difference = await checkGolden({
      file: new URL('./__fixtures__/query-pool.safetensors', import.meta.url),
      model: () =>
        queryPoolConnector({ queriesOfPatches: { 7: 3, 8: 5 }, numHeads: 2 })({
          visionSize: 6,
          textSize: 5,
          grid: [1, 7],
        }),
      outputs: (connector, { features }) => ({
        rows: connector.connect({ hiddenStates: features!, grid: [1, 7] }),
      }),
    });
    expect(difference).toBeLessThan(1e-5);
  });

  it('asks as many queries as the whole tile deserves, however much of it is picture', () => {
    const connector = queryPoolConnector(tiny)({ visionSize: 6, textSize: 5, grid: null });
    const prepared = (rows: number, columns: number) =>
      connector.prepare!({ kind: 'image', frames: 1, rows, columns })['query_rows']!;
    expect([...prepared(2, 3).data]).toEqual([0n, 1n, 2n]);
    expect(prepared(4, 2).shape).toEqual([5]);
    expect(rowsOf(connector)).toEqual(['queries*tiles', 5]);
  });

  it('has no graph input of its own at a fixed grid', () => {
    const connector = queryPoolConnector()({ visionSize: 32, textSize: 5, grid: [35, 35] });
    expect(connector.inputs).toBeUndefined();
    expect(connector.prepare).toBeUndefined();
    expect([connector.countTokens([35, 35]), connector.countTokens([70, 70])]).toEqual([128, 256]);
  });

  it('refuses tiles without a number of queries', () => {
    expect(() => queryPoolConnector(tiny)({ visionSize: 6, textSize: 5, grid: [3, 3] })).toThrow(ShapeError);
    expect(() => queryPoolConnector(tiny)({ visionSize: 6, textSize: 5, grid: [3, 3] })).toThrow(
      /A tile of 3 x 3 patches has no number of queries\.[^]*numbers for tiles of 6, 8 patches/,
    );
  });
});

/** Shape of the rows for features of free resolution. */
function rowsOf(connector: Connector): Shape {
  const types = {
    features: { dtype: 'float32', shape: ['tiles', 'patches', 6] },
    ...connector.inputs,
  } as const;
  return trace({ connector }, types, ({ features, ...inputs }) => ({
    rows: connector.connect({ hiddenStates: features, grid: null }, inputs),
  })).outputs['rows']!.shape;
}

testDefinition(queryPoolPart, { configs: [{}, tiny], context: { visionSize: 32, textSize: 7, grid: null } });
