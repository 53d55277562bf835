import { embedding, linear as linearOp, module, Parameter, repeat, type Value } from '@weft/graph';
import type { Backbone, DecoderInputs, DecoderLayer, DecoderShape, Source } from '@weft/spec';
import { decoderLayer, type DecoderConfig, type DecoderStackConfig } from './decoder-layer.js';
import { linear } from './linear.js';
import { rmsNorm, type Norm } from './norm.js';
import { rotary } from './rotary.js';

/** Table of token embeddings `[V, D]`. */
export const tokenEmbedding = (vocabSize: number, hiddenSize: number) =>
  module('Embedding', { weight: new Parameter([vocabSize, hiddenSize]) }, {
    lookUp: (m, ids: Value) => embedding(ids, m.weight),
    unembed: (m, hiddenStates: Value) => linearOp(hiddenStates, m.weight),
  });

/** Name and origin of a family of decoders. */
export interface DecoderFamily {
  readonly id: string;
  readonly source: Source;
}

/** What a decoder is assembled from beside the token table and the head. */
export interface DecoderAssembly extends DecoderFamily {
  readonly layers: readonly DecoderLayer[];
  /** After the last layer. */
  readonly norm: Norm;
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
  });

/**
 * Token embeddings, a stack of layers, a final norm and a head, under the names that transformers' `*ForCausalLM`
 * classes share: `model.embed_tokens`, `model.layers.{i}`, `model.norm`, `lm_head`.
 */
export function assembleDecoder(c: DecoderStackConfig, assembly: DecoderAssembly): Backbone {
  const { id, source, layers, norm, normName = 'norm', headBias = false } = assembly;
  const parts = {
    model: { embed_tokens: tokenEmbedding(c.vocabSize, c.hiddenSize), layers, [normName]: norm },
    lm_head: c.tieWordEmbeddings ? null : linear(c.hiddenSize, c.vocabSize, { bias: headBias }),
  };
  const backbone = module(
    'Decoder',
    parts,
    {
      embed: ({ model }, inputIds: Value) => model.embed_tokens.lookUp(inputIds),
      decode: ({ model }, { hiddenStates, positionIds, visionStates }: DecoderInputs) => {
        const context = { ...rotary(positionIds, c), interleaved: c.ropeInterleaved, visionStates };
        return (model[normName] as Norm)(model.layers.reduce((x, layer) => layer(x, context), hiddenStates));
      },
      head: ({ model, lm_head }, hiddenStates: Value) =>
        lm_head ? lm_head(hiddenStates) : model.embed_tokens.unembed(hiddenStates),
    },
    {
      facts: ({ model, lm_head }) => ({
        id,
        source,
        config: c as unknown as Readonly<Record<string, unknown>>,
        shape: c as DecoderShape,
        layers: model.layers,
        withLayers: (next: readonly DecoderLayer[]): Backbone =>
          backbone.withParts({ model: { ...model, layers: next }, lm_head }) as unknown as Backbone,
      }),
    },
  );
  return backbone as unknown as Backbone;
}
