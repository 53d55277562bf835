import { namedParameters, trace } from '@weft/graph';
import type { Backbone, Fusion } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { expectShapeError, testComputation, testSource } from './conformance.js';
import { randomTensor } from './random.js';

export interface FusionChecks {
  readonly create: () => Fusion;
  /** A small backbone to attach to. */
  readonly backbone: () => Backbone;
}

/** What every fusion must do; call it in a test file of the fusion's package. */
export function testFusion({ create, backbone }: FusionChecks): void {
  describe('as a fusion', () => {
    const traceStates = (model: Backbone, width = model.shape.hiddenSize) => {
      const types = {
        input_ids: { dtype: 'int64', shape: ['batch', 'sequence'] },
        position_ids: { dtype: 'int64', shape: ['batch', 'sequence'] },
        image_positions: { dtype: 'int64', shape: ['tokens'] },
        image_embeds: { dtype: 'float32', shape: ['tokens', width] },
      } as const;
      return trace({ backbone: model }, types, ({ input_ids, position_ids, image_positions, image_embeds }) => {
        const text = { hiddenStates: model.embed(input_ids), imagePositions: image_positions };
        const joined = create().join(text, image_embeds);
        return { joined: joined.hiddenStates, states: model.decode({ ...joined, positionIds: position_ids }) };
      });
    };

    it('keeps the names of all parameters of the backbone', () => {
      const before = [...namedParameters(backbone()).keys()];
      const after = [...namedParameters(create().attach(backbone())).keys()];
      expect(after).toEqual(expect.arrayContaining(before));
      if (create().method === 'A') expect(after).toEqual(before);
    });

    it('gives hidden states of the shape of the text', () => {
      const model = create().attach(backbone());
      const { joined, states } = traceStates(model).outputs;
      for (const value of [joined!, states!]) expect(value.shape).toEqual(['batch', 'sequence', model.shape.hiddenSize]);
    });

    testComputation(() => {
      const model = create().attach(backbone());
      const feeds = {
        input_ids: { shape: [2, 5], data: [1, 2, 3, 4, 5, 6, 7, 8, 9, 1] },
        position_ids: { shape: [2, 5], data: [0, 1, 2, 3, 4, 0, 1, 2, 3, 4] },
        image_positions: { shape: [3], data: [1, 2, 8] },
        image_embeds: randomTensor([3, model.shape.hiddenSize], 60),
      };
      return { model: { backbone: model }, trace: (parts) => traceStates(parts.backbone), feeds, output: 'states' };
    });

    it('refuses image embeddings of another width, and asks for a connector', () => {
      const model = create().attach(backbone());
      expectShapeError(() => traceStates(model, model.shape.hiddenSize + 1), /Is a connector missing\?/);
    });

    testSource(create);
  });
}
