import { ConfigError } from '@weft/errors';
import { decoderSection, readDecoderStack, type DecoderSectionConfig, type ExpertsConfig } from '@weft/nn';
import { configReader, type Json, type TakeNotice } from '@weft/spec';

/** OLMo 1 and 2 and OLMoE: one family, told apart by its norms and its MLPs. */
export interface OlmoConfig extends DecoderSectionConfig {
  /** `layer`: layer norm without weights, of OLMo 1; `rms`: root-mean-square norm with a weight. */
  readonly normType: 'layer' | 'rms';
  readonly normEps: number;
  /** Whether norms stand before attention and MLP, or after them. */
  readonly normPlacement: 'before' | 'after';
  /** Root-mean-square norms of queries and keys, over all heads at once. */
  readonly qkNorm: boolean;
  /** Biases of all four projections of the attention. */
  readonly attentionBias: boolean;
  /** Queries, keys and values are clamped to this absolute value. */
  readonly clipQkv?: number | undefined;
  /** A mixture of experts instead of one MLP; `intermediateSize` is that of an expert. */
  readonly experts?: ExpertsConfig | undefined;
}

const common = {
  hiddenAct: 'silu',
  headDim: 128,
  rotaryDim: 128,
  attentionBias: false,
  tieWordEmbeddings: false,
} as const;
const olmo1 = {
  ...common,
  normType: 'layer',
  normEps: 1e-5,
  normPlacement: 'before',
  qkNorm: false,
  vocabSize: 50304,
  ropeTheta: 10000,
} as const;
const olmo2 = {
  ...common,
  normType: 'rms',
  normEps: 1e-6,
  normPlacement: 'after',
  qkNorm: true,
  vocabSize: 100352,
  ropeTheta: 500000,
} as const;
const size7b = {
  hiddenSize: 4096,
  intermediateSize: 11008,
  numHiddenLayers: 32,
  numAttentionHeads: 32,
  numKeyValueHeads: 32,
} as const;

/** Published sizes. OLMo-7B-1024, the language model of Molmo-7B-O, has the shape of OLMo-2-7B. */
export const olmoPresets = {
  'olmo-7b': { ...olmo1, ...size7b },
  'olmo-1.7-7b': { ...olmo1, ...size7b, clipQkv: 8 },
  'olmo-7b-1024': { ...olmo2, ...size7b },
  'olmo-2-7b': { ...olmo2, ...size7b },
  'olmo-2-13b': {
    ...olmo2,
    hiddenSize: 5120,
    intermediateSize: 13824,
    numHiddenLayers: 40,
    numAttentionHeads: 40,
    numKeyValueHeads: 40,
  },
  'olmoe-1b-7b': {
    ...common,
    normType: 'rms',
    normEps: 1e-5,
    normPlacement: 'before',
    qkNorm: true,
    hiddenSize: 2048,
    intermediateSize: 1024,
    numHiddenLayers: 16,
    numAttentionHeads: 16,
    numKeyValueHeads: 16,
    vocabSize: 50304,
    ropeTheta: 10000,
    experts: { numExperts: 64, numExpertsPerTok: 8, normTopkProb: false },
  },
} as const satisfies Record<string, OlmoConfig>;

/**
 * Reads the text section of a `config.json` of model type `olmo`, `olmo2` or `olmoe`.
 *
 * @throws ConfigError if the model type is another one, or a field is not of its type
 */
export function readOlmoConfig(section: Json, notice?: TakeNotice): OlmoConfig {
  const read = configReader(section, 'text_config');
  const type = read.string('model_type');
  if (!['olmo', 'olmo2', 'olmoe'].includes(type))
    throw new ConfigError({
      message: `config.json: '${type}' is no OLMo.`,
      hint: 'Known model types: olmo, olmo2, olmoe.',
    });
  const isFirst = type === 'olmo';
  const isMixture = type === 'olmoe';
  const clip = type === 'olmo2' ? undefined : read.raw('clip_qkv');
  return {
    ...readDecoderStack(
      section,
      {
        hiddenSize: isMixture ? 2048 : 4096,
        intermediateSize: isMixture ? 2048 : 11008,
        numHiddenLayers: isMixture ? 16 : 32,
        numAttentionHeads: isMixture ? 16 : 32,
        vocabSize: 50304,
        hiddenAct: 'silu',
        maxPositionEmbeddings: isMixture ? 4096 : 2048,
      },
      notice,
    ),
    normType: isFirst ? 'layer' : 'rms',
    normEps: isFirst ? 1e-5 : read.number('rms_norm_eps', 1e-5),
    normPlacement: type === 'olmo2' ? 'after' : 'before',
    qkNorm: !isFirst,
    attentionBias: read.boolean('attention_bias', false),
    ...(typeof clip === 'number' ? { clipQkv: clip } : {}),
    ...(isMixture
      ? {
          experts: {
            numExperts: read.number('num_experts', Number(read.raw('num_local_experts') ?? 64)),
            numExpertsPerTok: read.number('num_experts_per_tok', 8),
            normTopkProb: read.boolean('norm_topk_prob', false),
          },
        }
      : {}),
  };
}

/** The text section of a `config.json`, or `undefined` if no model type of transformers has these norms. */
export function olmoSection(c: OlmoConfig): Json | undefined {
  const { normType, normPlacement, qkNorm, experts, clipQkv } = c;
  const stack = decoderSection(c);
  if (!stack || c.slidingWindow !== undefined) return undefined;
  const section = { ...stack, attention_bias: c.attentionBias };
  const clip = { clip_qkv: clipQkv ?? null };
  if (normType === 'layer')
    return normPlacement === 'before' && !qkNorm && !experts && c.normEps === 1e-5
      ? { model_type: 'olmo', ...section, ...clip }
      : undefined;
  if (!qkNorm) return undefined;
  if (normPlacement === 'after')
    return experts || clipQkv !== undefined
      ? undefined
      : { model_type: 'olmo2', ...section, rms_norm_eps: c.normEps };
  if (!experts) return undefined;
  return {
    model_type: 'olmoe',
    ...section,
    ...clip,
    rms_norm_eps: c.normEps,
    num_experts: experts.numExperts,
    num_experts_per_tok: experts.numExpertsPerTok,
    norm_topk_prob: experts.normTopkProb,
  };
}
