import type { TakeNotice } from '@weft/errors';
import { configReader, type ConfigFields, type Json } from '@weft/spec';
import { readActivation, type ActivationName } from './activation.js';
import type { DecoderStackConfig } from './decoder-layer.js';
import { readRope, ropeSection, type RopeFamily } from './rope-section.js';

/** What the text section of any family of decoders states; the rest is the family's own. */
export interface DecoderSectionConfig extends DecoderStackConfig {
  readonly hiddenAct: ActivationName;
}

/** What the fields of every decoder are, for the `fields` of its definition. */
export const decoderFields = {
  extraTable: { optional: 'flag' },
  tieWordEmbeddings: 'flag',
  slidingWindow: { optional: 'count' },
  layerTypes: { optional: { list: { oneOf: ['full_attention', 'sliding_attention'] } } },
  hiddenSize: 'count',
  vocabSize: 'count',
  numHiddenLayers: 'layers',
  numAttentionHeads: 'count',
  numKeyValueHeads: 'count',
  headDim: 'count',
  intermediateSize: 'count',
  hiddenAct: 'activation',
  extraTokens: { optional: 'amount' },
  ropeTheta: 'positive',
  rotaryDim: 'count',
  ropeScaling: { optional: 'object' },
  mropeSection: { optional: { list: 'amount' } },
  ropeInterleaved: { optional: 'flag' },
} as const satisfies ConfigFields<DecoderSectionConfig>;

/** Defaults of a family's configuration class. */
export interface DecoderStackDefaults extends RopeFamily {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** As many as there are attention heads unless given. */
  readonly numKeyValueHeads?: number;
  readonly vocabSize: number;
  readonly hiddenAct: ActivationName;
}

/**
 * Reads what the text sections of all families have in common: sizes, activation, rotary positions, tied head.
 *
 * @param notice takes what the section says and the family does not apply
 * @throws ConfigError naming the field that cannot be read
 */
export function readDecoderStack(
  section: Json,
  defaults: DecoderStackDefaults,
  notice?: TakeNotice,
): DecoderSectionConfig {
  const read = configReader(section, 'text_config');
  const hiddenSize = read.number('hidden_size', defaults.hiddenSize);
  const numAttentionHeads = read.number('num_attention_heads', defaults.numAttentionHeads);
  const headDim = read.number('head_dim', hiddenSize / numAttentionHeads);
  return {
    hiddenSize,
    intermediateSize: read.number('intermediate_size', defaults.intermediateSize),
    numHiddenLayers: read.number('num_hidden_layers', defaults.numHiddenLayers),
    numAttentionHeads,
    // Where a class has a number of its own, null still means as many as there are attention heads.
    numKeyValueHeads: read.number(
      'num_key_value_heads',
      read.raw('num_key_value_heads') === null
        ? numAttentionHeads
        : (defaults.numKeyValueHeads ?? numAttentionHeads),
    ),
    headDim,
    vocabSize: read.number('vocab_size', defaults.vocabSize),
    hiddenAct: readActivation(read, defaults.hiddenAct),
    tieWordEmbeddings: read.boolean('tie_word_embeddings', false),
    ...readRope(section, headDim, defaults, notice),
  };
}

/**
 * The fields that `readDecoderStack` reads, or `undefined` for what no text class of transformers has: embeddings that
 * the head does not predict, positions that turn neighbouring channels, a choice of layers for a window that is not.
 * Windows themselves each family writes in its own way, or not at all.
 *
 * @param options.turnsPart whether the family's class turns a part of each head; the classes of others turn whole heads
 * whatever the section says
 */
export function decoderSection(
  c: DecoderSectionConfig,
  { turnsPart = false }: { readonly turnsPart?: boolean } = {},
): Json | undefined {
  if (c.extraTokens || c.ropeInterleaved) return undefined;
  if (c.rotaryDim !== c.headDim && !turnsPart) return undefined;
  if (c.layerTypes && c.slidingWindow === undefined) return undefined;
  return {
    hidden_size: c.hiddenSize,
    intermediate_size: c.intermediateSize,
    num_hidden_layers: c.numHiddenLayers,
    num_attention_heads: c.numAttentionHeads,
    num_key_value_heads: c.numKeyValueHeads,
    head_dim: c.headDim,
    vocab_size: c.vocabSize,
    hidden_act: c.hiddenAct,
    tie_word_embeddings: c.tieWordEmbeddings,
    // The base of these positions grows beyond it.
    ...(c.ropeScaling?.type === 'dynamic'
      ? { max_position_embeddings: c.ropeScaling.maxPositionEmbeddings }
      : {}),
    rope_parameters: ropeSection(c, c.headDim),
  };
}
