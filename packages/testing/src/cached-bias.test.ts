import { ConfigError } from '@weft/errors';
import * as g from '@weft/graph';
import { inference, targets } from '@weft/onnx';
import { describe, expect, it } from 'vitest';
import { checkCachedDecoding } from './cached-decoding.js';
import { assertClose } from './compare.js';
import { interpret } from './interpret.js';
import { randomIntegers, randomParameters } from './random.js';

const [vocabulary, heads, keyHeads, size] = [11, 4, 2, 6];

/** One layer of attention without rotary embedding, with a bias that is made of the positions `[B, L]`. */
function decoder(biasOf: (positions: g.Value) => g.Value): {
  readonly model: g.Part;
  readonly graph: g.Graph;
} {
  const layer = g.module(
    'Layer',
    {
      table: new g.Parameter([vocabulary, heads * size]),
      key: new g.Parameter([keyHeads * size, heads * size]),
      head: new g.Parameter([vocabulary, heads * size]),
    },
    (m, ids: g.Value, positions: g.Value) => {
      const x = g.embedding(ids, m.table);
      const split = (value: g.Value, count: number) => g.reshape(value, ['batch', 'sequence', count, size]);
      const keys = split(g.linear(x, m.key), keyHeads);
      const bias = biasOf(g.cast(positions, 'float32'));
      const y = g.attend(split(x, heads), keys, keys, { mask: 'causal', cache: 'append', bias });
      return g.linear(g.reshape(y, ['batch', 'sequence', heads * size]), m.head);
    },
  );
  const ids = { dtype: 'int64', shape: ['batch', 'sequence'] } as const;
  const graph = g.trace(layer, { input_ids: ids, position_ids: ids }, (inputs) => ({
    logits: layer(inputs.input_ids, inputs.position_ids),
  }));
  return { model: layer, graph };
}

const slopes = () => g.constant([0.5, 0.25, 0.125, 0.0625], 'float32', [1, heads, 1, 1]);
const asKeys = (positions: g.Value) => g.reshape(positions, ['batch', 1, 1, 'sequence']);
const asQueries = (positions: g.Value) => g.reshape(positions, ['batch', 1, 'sequence', 1]);
const alibi = (positions: g.Value) => g.mul(asKeys(positions), slopes());

describe('a bias of cached attention', () => {
  it.each(Object.values(targets))('of keys, as in ALiBi, is kept with them ($name)', async (target) => {
    const { model, graph } = decoder(alibi);
    await checkCachedDecoding(graph, model, vocabulary, target);
  });

  it.each(Object.values(targets))(
    'of keys alike for all heads, or of queries, too ($name)',
    async (target) => {
      for (const bias of [asKeys, asQueries]) {
        const { model, graph } = decoder((positions) => g.sin(bias(positions)));
        await checkCachedDecoding(graph, model, vocabulary, target);
      }
    },
  );

  it('by slope * key gives what ALiBi writes as slope * (key - query)', () => {
    const relative = decoder((positions) => g.mul(g.sub(asKeys(positions), asQueries(positions)), slopes()));
    const { model, graph } = decoder(alibi);
    const parameters = randomParameters(model, 3);
    const feeds = {
      input_ids: randomIntegers([1, 7], 4, 0, vocabulary),
      position_ids: { shape: [1, 7], data: [0, 1, 2, 3, 4, 5, 6] },
    };
    const [ours, theirs] = [graph, relative.graph].map(
      (each) => interpret(each, feeds, parameters)['logits']!,
    );
    assertClose(ours!, theirs!, { tolerance: 1e-12, what: 'logits' });
    const without = decoder((positions) => g.mul(asKeys(positions), 0));
    const unbiased = interpret(without.graph, feeds, parameters)['logits']!;
    expect(() => assertClose(unbiased, theirs!, { tolerance: 1e-3, what: 'logits' })).toThrow(/difference/);
  });

  it('has a place in the cache beside keys and values', () => {
    const { cache, graph } = inference(decoder(alibi).graph);
    expect(cache.map(({ past, heads: n, size: width }) => [past, n, width])).toEqual([
      ['past_key_values.0.key', 2, 6],
      ['past_key_values.0.value', 2, 6],
      ['past_key_values.0.bias', 4, 1],
    ]);
    expect(graph.outputs['present.0.bias']!.shape).toEqual(['sequence', 'batch', 4, 1]);
  });

  it('of pairs of tokens is refused, with a way out', () => {
    const { graph } = decoder((positions) => g.sub(asKeys(positions), asQueries(positions)));
    expect(() => inference(graph)).toThrow(ConfigError);
    expect(() => inference(graph)).toThrow(/depends on pairs of tokens[^]*Write it as a bias of keys/);
  });
});
