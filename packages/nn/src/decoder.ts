import {
  embedding,
  less,
  linear as linearOp,
  maximum,
  minimum,
  module,
  namedParameters,
  Parameter,
  repeat,
  reshape,
  slice,
  sub,
  where,
  type Part,
  type Parts,
  type Value,
} from '@weft/graph';
import type { Backbone, DecoderInputs, DecoderLayer, DecoderShape, Source } from '@weft/spec';
import { decoderLayer, type DecoderConfig, type DecoderStackConfig } from './decoder-layer.js';
import { linear, type Linear } from './linear.js';
import { rmsNorm, type Norm } from './norm.js';
import { frequencyRule, longestText } from './rope-scaling.js';
import { rotary } from './rotary.js';

/** Table of token embeddings `[V, D]`, and of extra tokens that are never predicted: its last rows, or one of their own. */
export const tokenEmbedding = (
  c: Pick<DecoderStackConfig, 'vocabSize' | 'hiddenSize' | 'extraTokens' | 'extraTable'>,
) => {
  const { vocabSize, hiddenSize, extraTokens = 0 } = c;
  const own = c.extraTable ? extraTokens : 0;
  return module(
    'Embedding',
    {
      weight: new Parameter([vocabSize + extraTokens - own, hiddenSize]),
      new_embedding: own > 0 ? new Parameter([own, hiddenSize]) : null,
    },
    {
      lookUp: (m, ids: Value) => {
        if (!m.new_embedding) return embedding(ids, m.weight);
        const isKnown = reshape(less(ids, vocabSize), [...ids.shape, 1]);
        const known = embedding(minimum(ids, vocabSize - 1), m.weight);
        const extra = embedding(maximum(sub(ids, vocabSize), 0), m.new_embedding);
        return where(isKnown, known, extra);
      },
      unembed: (m, hiddenStates: Value) => linearOp(hiddenStates, slice(m.weight, 0, 0, vocabSize)),
    },
  );
};

/** Name and origin of a family of decoders. */
export interface DecoderFamily {
  readonly id: string;
  readonly source: Source;
}

/** What a decoder is assembled from besides the token table and the head. */
export interface DecoderAssembly extends DecoderFamily {
  readonly layers: readonly DecoderLayer[];
  /** After the last layer. */
  readonly norm: Norm;
  /** What its norms add to variances. */
  readonly normEps: number;
  /** Name of that norm in the checkpoint; `norm` unless given. */
  readonly normName?: string;
  /** Whether the head has a bias; not unless given. */
  readonly headBias?: boolean;
}

/** A Llama-like decoder. */
export const decoder = (c: DecoderConfig, { id, source }: DecoderFamily): Backbone =>
  assembleDecoder(c, {
    id,
    source,
    layers: repeat(c.numHiddenLayers, (i) => decoderLayer(c, i)),
    norm: rmsNorm(c.hiddenSize, c.rmsNormEps),
    normEps: c.rmsNormEps,
  });

/**
 * Token embeddings, a stack of layers, a final norm and a head, under the names that transformers' `*ForCausalLM`
 * classes share: `model.embed_tokens`, `model.layers.{i}`, `model.norm`, `lm_head`.
 */
export function assembleDecoder(c: DecoderStackConfig, assembly: DecoderAssembly): Backbone {
  const { layers, norm, normName = 'norm', headBias = false } = assembly;
  const model = {
    embed_tokens: tokenEmbedding(c),
    layers,
    [normName]: norm,
  };
  const lm_head = c.tieWordEmbeddings ? null : linear(c.hiddenSize, c.vocabSize, { bias: headBias });
  return overStack(
    c,
    assembly,
    { model, lm_head },
    layers.map((_, i) => ['layers', `${i}`] as const),
  );
}

type DecoderParts = {
  readonly model: Parts & { readonly embed_tokens: ReturnType<typeof tokenEmbedding> };
  readonly lm_head: Linear | null;
};

/** Where a layer is in `model`: in which list, and where in it. */
type LayerPlace = readonly [list: string, key: string];

/** @param order places of the layers in the order in which they run */
function overStack(
  c: DecoderStackConfig,
  family: DecoderAssembly,
  parts: DecoderParts,
  order: readonly LayerPlace[],
): Backbone {
  const { id, source, normName = 'norm' } = family;
  const layersOf = (model: object): DecoderLayer[] =>
    order.map(([list, key]) => (model as Record<string, Record<string, DecoderLayer>>)[list]![key]!);
  return module(
    'Decoder',
    parts,
    {
      embed: ({ model }, inputIds: Value) => model.embed_tokens.lookUp(inputIds),
      decode: ({ model }, { hiddenStates, positionIds, lengths, vision }: DecoderInputs) => {
        const context = { ...rotary(positionIds, c, lengths), interleaved: c.ropeInterleaved, vision };
        return (model[normName] as Norm)(
          layersOf(model).reduce((x, layer) => layer(x, context), hiddenStates),
        );
      },
      head: ({ model, lm_head }, hiddenStates: Value) =>
        lm_head ? lm_head(hiddenStates) : model.embed_tokens.unembed(hiddenStates),
    },
    {
      facts: ({ model, lm_head }, paths) => ({
        id,
        source,
        config: c as unknown as Readonly<Record<string, unknown>>,
        shape: shapeOf(c, family),
        ropeInterleaved: c.ropeInterleaved,
        frequencies: frequencyRule(c),
        longestText: (most: number) => longestText(c, most),
        layers: layersOf(model),
        tokenTables: tablesOf(c, [model.embed_tokens, lm_head]),
        withLayers: (next: readonly DecoderLayer[], names = next.map((_, i) => `layers.${i}`)): Backbone => {
          const places = names.map((name) => name.split('.') as unknown as LayerPlace);
          const { embed_tokens, [normName]: norm } = model;
          const stack = { embed_tokens, ...listed(next, places), [normName]: norm! };
          return overStack(c, family, { model: stack, lm_head }, places).withPaths(paths) as Backbone;
        },
      }),
    },
  ) as unknown as Backbone;
}

const shapeOf = (c: DecoderStackConfig, { normEps }: DecoderAssembly): DecoderShape => ({
  hiddenSize: c.hiddenSize,
  vocabSize: c.vocabSize,
  numHiddenLayers: c.numHiddenLayers,
  numAttentionHeads: c.numAttentionHeads,
  numKeyValueHeads: c.numKeyValueHeads,
  headDim: c.headDim,
  intermediateSize: c.intermediateSize,
  hiddenAct: c.hiddenAct,
  normEps,
  extraTokens: c.extraTokens,
});

/** Matrices of token table and head that have a row for each token; what else a change has put there is none. */
const tablesOf = ({ vocabSize }: DecoderStackConfig, parts: readonly Part[]): Parameter[] =>
  parts.flatMap((part) =>
    [...namedParameters(part).values()].filter(({ shape }) => shape.length === 2 && shape[0]! >= vocabSize),
  );

/** Layers by list and key. */
function listed(layers: readonly DecoderLayer[], places: readonly LayerPlace[]): Record<string, Part> {
  const lists: Record<string, Record<string, Part>> = {};
  for (const [i, [list, key]] of places.entries()) (lists[list] ??= {})[key] = layers[i]!;
  return lists;
}
