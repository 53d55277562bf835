import { namedParameters, trace, type TensorType, type Value } from '@weft/graph';
import type { Backbone, Fusion, TextInputs } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { expectShapeError, testComputation, testSource } from './conformance.js';
import { describeGraph } from './describe-graph.js';
import { interpret } from './interpret.js';
import { randomParameters, randomTensor } from './random.js';
import type { Tensors } from './tensor.js';
import { testVariants, type Variants } from './variants.js';

export interface FusionChecks {
  readonly create: () => Fusion;
  /** A small backbone to attach to. */
  readonly backbone: () => Backbone;
  /** The same with other options; every option must be among them. */
  readonly variants?: Variants<Fusion>;
}

const int64 = (...shape: TensorType['shape']): TensorType => ({ dtype: 'int64', shape });
const text = { input_ids: int64('batch', 'sequence'), position_ids: int64('batch', 'sequence') };
const textFeeds = {
  input_ids: { shape: [2, 5], data: [1, 2, 3, 4, 5, 6, 7, 8, 9, 1] },
  position_ids: { shape: [2, 5], data: [0, 1, 2, 3, 4, 0, 1, 2, 3, 4] },
};
/** Embeddings of a tile, and tokens of its tag. */
const [perTile, perTag] = [3, 2];

/** Types of the inputs that a method takes besides the text, and small values for them. */
function imageInputs(
  method: Fusion['method'],
  width: number,
): { types: Record<string, TensorType>; feeds: Tensors } {
  const placed = {
    types: { positions: int64('tokens'), embeds: { dtype: 'float32' as const, shape: ['tokens', width] } },
    feeds: { positions: { shape: [3], data: [1, 2, 8] }, embeds: randomTensor([3, width], 60) },
  };
  const seen = {
    types: {
      tile_embeds: { dtype: 'float32' as const, shape: ['all', perTile, width] },
      tiles: int64('batch', 'seen'),
      mask: int64('batch', 'sequence', 'seen'),
      tags: { dtype: 'float32' as const, shape: ['batch', 'seen', perTag, width] },
    },
    feeds: {
      tile_embeds: randomTensor([3, perTile, width], 61),
      tiles: { shape: [2, 2], data: [0, 1, 2, 0] },
      // The first token of the first row sees nothing; the second row's second tile fills up.
      mask: { shape: [2, 5, 2], data: [0, 0, 1, 0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0] },
      tags: randomTensor([2, 2, perTag, width], 62),
    },
  };
  if (method === 'A') return placed;
  return method === 'B'
    ? seen
    : { types: { ...placed.types, ...seen.types }, feeds: { ...placed.feeds, ...seen.feeds } };
}

/** What a fusion joins, from graph inputs. */
function textInputs(
  method: Fusion['method'],
  hiddenStates: Value,
  inputs: Readonly<Record<string, Value>>,
): TextInputs {
  const placed = { positions: inputs['positions']!, embeds: inputs['embeds']! };
  const seen = {
    embeds: inputs['tile_embeds']!,
    tiles: inputs['tiles']!,
    mask: inputs['mask']!,
    tags: inputs['tags'],
  };
  return { hiddenStates, ...(method === 'B' ? {} : { placed }), ...(method === 'A' ? {} : { seen }) };
}

/** What every fusion must do; call it in a test file of the fusion's package. */
export function testFusion({ create, backbone, variants }: FusionChecks): void {
  describe('as a fusion', () => {
    const { method } = create();
    const traceStates = (model: Backbone, width = model.shape.hiddenSize, fusion = create()) =>
      trace({ backbone: model }, { ...text, ...imageInputs(method, width).types }, (inputs) => {
        const joined = fusion.join(textInputs(method, model.embed(inputs['input_ids']!), inputs));
        return {
          joined: joined.hiddenStates,
          states: model.decode({ ...joined, positionIds: inputs['position_ids']! }),
        };
      });
    const traceText = (model: Backbone) =>
      trace({ backbone: model }, text, ({ input_ids, position_ids }) => {
        const joined = create().join({ hiddenStates: model.embed(input_ids) });
        return { states: model.decode({ ...joined, positionIds: position_ids }) };
      });
    const feedsOf = (model: Backbone): Tensors => ({
      ...textFeeds,
      ...imageInputs(method, model.shape.hiddenSize).feeds,
    });

    it('keeps the names of all parameters of the backbone', () => {
      const before = [...namedParameters(backbone()).keys()];
      const after = [...namedParameters(create().attach(backbone()).backbone).keys()];
      const { naming } = create().config;
      // Merged lists renumber the backbone's layers.
      if (naming !== 'merged') expect(after).toEqual(expect.arrayContaining(before));
      expect(after.length > before.length).toBe(method !== 'A');
    });

    it('gives hidden states of the shape of the text', () => {
      const model = create().attach(backbone()).backbone;
      const { joined, states } = traceStates(model).outputs;
      for (const value of [joined!, states!])
        expect(value.shape).toEqual(['batch', 'sequence', model.shape.hiddenSize]);
    });

    it('is the backbone when there are no images', () => {
      const [before, after] = [traceText(backbone()), traceText(create().attach(backbone()).backbone)].map(
        (graph) => describeGraph(graph, { paths: false }),
      );
      expect(after).toEqual(before);
    });

    const computation = (fusion: Fusion) => {
      const model = fusion.attach(backbone()).backbone;
      return {
        model: { backbone: model },
        trace: () => traceStates(model, model.shape.hiddenSize, fusion),
        feeds: feedsOf(model),
        output: 'states',
        unread: { lm_head: 'it reads what is decoded, behind all that a fusion joins' },
      };
    };
    testComputation(() => ({ ...computation(create()), trace: (parts) => traceStates(parts.backbone) }));
    if (variants) testVariants({ tiny: create, variants, computation });

    if (method !== 'A')
      it('changes nothing by cross-attention while its gates are zero', () => {
        const model = create().attach(backbone()).backbone;
        const parameters = randomParameters({ backbone: model }, 63);
        for (const [path, { shape }] of Object.entries(parameters))
          if (path.endsWith('gate')) parameters[path] = { shape, data: new Float64Array(shape[0]!) };
        const feeds = feedsOf(model);
        const states = (given: Tensors) => interpret(traceStates(model), given, parameters)['states']!.data;
        const other = { ...feeds, tile_embeds: randomTensor([3, perTile, model.shape.hiddenSize], 64) };
        expect(states(feeds)).toEqual(states(other));
        if (method === 'B')
          expect(states(feeds)).toEqual(interpret(traceText(model), textFeeds, parameters)['states']!.data);
      });

    it('refuses image embeddings of another width, and asks for a connector', () => {
      const model = create().attach(backbone()).backbone;
      expectShapeError(() => traceStates(model, model.shape.hiddenSize + 1), /Is a connector missing\?/);
    });

    testSource(create);
  });
}
