import { namedParameters, trace, type Dim } from '@weft/graph';
import { targets } from '@weft/onnx';
import type { Backbone } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { checkCachedDecoding } from './cached-decoding.js';
import {
  expectShapeError,
  testComputation,
  testPublished,
  testSource,
  type PublishedChecks,
} from './conformance.js';
import { randomIntegers } from './random.js';
import { testVariants, type Variants } from './variants.js';

export interface BackboneChecks extends PublishedChecks<Backbone> {
  /** A small backbone, of odd sizes and at least two layers. */
  readonly tiny: () => Backbone;
  /** The tiny one with other options; every option must be among them. */
  readonly variants?: Variants<Backbone>;
  /** Options that can have one value only, and why. */
  readonly fixed?: Readonly<Record<string, string>>;
}

/** What every backbone must do; call it in a test file of the backbone's package. */
export function testBackbone({ tiny, variants, fixed, ...published }: BackboneChecks): void {
  describe('as a backbone', () => {
    it('gives logits over its vocabulary for every token', () => {
      const backbone = tiny();
      const { shape } = traceLogits(backbone).outputs['logits']!;
      expect(shape).toEqual(['batch', 'sequence', backbone.shape.vocabSize]);
    });

    it('embeds and decodes at its hidden size', () => {
      const backbone = tiny();
      const ids = { dtype: 'int64', shape: ['batch', 'sequence'] } as const;
      const graph = trace({ backbone }, { ids, positions: ids }, ({ ids, positions }) => {
        const hiddenStates = backbone.embed(ids);
        return { embeds: hiddenStates, states: backbone.decode({ hiddenStates, positionIds: positions }) };
      });
      for (const name of ['embeds', 'states'])
        expect(graph.outputs[name]!.shape).toEqual(['batch', 'sequence', backbone.shape.hiddenSize]);
    });

    it('states the number of its layers, and takes another stack without renaming anything', () => {
      const backbone = tiny();
      expect(backbone.layers).toHaveLength(backbone.shape.numHiddenLayers);
      const shorter = backbone.withLayers(backbone.layers.slice(0, 1));
      expect(shorter.layers).toHaveLength(1);
      const all = [...namedParameters(backbone).keys()];
      const kept = [...namedParameters(shorter).keys()];
      expect(all).toEqual(expect.arrayContaining(kept));
      expect(all.filter((path) => !kept.includes(path)).every((path) => /layers\.[1-9]/.test(path))).toBe(
        true,
      );
      expect([...traceLogits(shorter).parameters.keys()].toSorted()).toEqual(
        kept.map((path) => `backbone.${path}`).toSorted(),
      );
    });

    const computation = (backbone: Backbone) => ({
      model: { backbone },
      trace: () => traceLogits(backbone),
      feeds: {
        input_ids: randomIntegers([2, 5], 40, 0, backbone.shape.vocabSize),
        position_ids: { shape: [2, 5], data: [0, 1, 2, 3, 4, 3, 4, 5, 6, 7] },
      },
      output: 'logits',
    });
    testComputation(() => ({ ...computation(tiny()), trace: ({ backbone }) => traceLogits(backbone) }));
    if (variants) testVariants({ tiny, variants, fixed, computation });

    it.each(Object.values(targets))(
      'continues from cached keys and values as if it read everything at once ($name)',
      async (target) => {
        const backbone = tiny();
        await checkCachedDecoding(traceLogits(backbone), { backbone }, backbone.shape.vocabSize, target);
      },
    );

    it('refuses embeddings of another width, and says where', () => {
      const backbone = tiny();
      const axes: Dim[] = ['batch', 'sequence'];
      const inputs = {
        hiddenStates: { dtype: 'float32', shape: [...axes, backbone.shape.hiddenSize + 1] },
        positionIds: { dtype: 'int64', shape: axes },
      } as const;
      expectShapeError(
        () => trace({ backbone }, inputs, (values) => ({ states: backbone.decode(values) })),
        /\n {2}at backbone\.\S*layers\.0\./,
      );
    });

    testSource(tiny);
    testPublished(published);
  });
}

const traceLogits = (backbone: Backbone) => {
  const ids = { dtype: 'int64', shape: ['batch', 'sequence'] } as const;
  return trace({ backbone }, { input_ids: ids, position_ids: ids }, ({ input_ids, position_ids }) => ({
    logits: backbone.head(
      backbone.decode({ hiddenStates: backbone.embed(input_ids), positionIds: position_ids }),
    ),
  }));
};
