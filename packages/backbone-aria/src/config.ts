import { ConfigError } from '@weft/errors';
import { decoderSection, readDecoderStack, type DecoderConfig } from '@weft/nn';
import { configReader, type Json, type TakeNotice } from '@weft/spec';

/** Aria's decoder: a Llama whose MLP is a mixture of experts. */
export interface AriaConfig extends Omit<DecoderConfig, 'experts'> {
  readonly numExperts: number;
  readonly numExpertsPerTok: number;
  /** Experts that every token passes: together one MLP, as many times as wide as a routed expert. */
  readonly numSharedExperts: number;
}

/** Published sizes. `intermediateSize` is that of one expert. */
export const ariaPresets = {
  'aria-text': {
    hiddenSize: 2560,
    intermediateSize: 1664,
    numHiddenLayers: 28,
    numAttentionHeads: 20,
    numKeyValueHeads: 20,
    headDim: 128,
    rotaryDim: 128,
    ropeTheta: 5e6,
    vocabSize: 100352,
    hiddenAct: 'silu',
    rmsNormEps: 1e-5,
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
    tieWordEmbeddings: false,
    numExperts: 64,
    numExpertsPerTok: 6,
    numSharedExperts: 2,
  },
} as const satisfies Record<string, AriaConfig>;

/**
 * Reads the text section of a `config.json` of model type `aria_text`; class defaults are those of transformers, not the
 * published sizes.
 *
 * @throws ConfigError if a field is not of its type, or a token is to pass more experts than there are
 */
export function readAriaConfig(section: Json, notice?: TakeNotice): AriaConfig {
  const read = configReader(section, 'text_config');
  const attentionBias = read.boolean('attention_bias', false);
  const numExperts = read.number('moe_num_experts', 8);
  const numExpertsPerTok = read.number('moe_topk', 2);
  if (numExpertsPerTok < 1 || numExpertsPerTok > numExperts)
    throw new ConfigError({
      message: `config.json: text_config.moe_topk is ${numExpertsPerTok}, but there are ${numExperts} experts.`,
      hint: 'moe_topk is at least 1 and at most moe_num_experts.',
    });
  return {
    ...readDecoderStack(
      section,
      {
        hiddenSize: 4096,
        intermediateSize: 4096,
        numHiddenLayers: 32,
        numAttentionHeads: 32,
        vocabSize: 32000,
        hiddenAct: 'silu',
        maxPositionEmbeddings: 2048,
      },
      notice,
    ),
    rmsNormEps: read.number('rms_norm_eps', 1e-6),
    qkvBias: attentionBias,
    outputBias: attentionBias,
    mlpBias: read.boolean('mlp_bias', false),
    numExperts,
    numExpertsPerTok,
    numSharedExperts: read.number('moe_num_shared_experts', 2),
  };
}

/** The text section of a `config.json`, or `undefined` if `aria_text` of transformers has no such parts. */
export function ariaSection(c: AriaConfig): Json | undefined {
  const stack = decoderSection(c);
  if (!stack || c.slidingWindow !== undefined || c.qkvBias !== c.outputBias) return undefined;
  return {
    model_type: 'aria_text',
    ...stack,
    rms_norm_eps: c.rmsNormEps,
    attention_bias: c.qkvBias,
    mlp_bias: c.mlpBias,
    moe_num_experts: c.numExperts,
    moe_topk: c.numExpertsPerTok,
    moe_num_shared_experts: c.numSharedExperts,
  };
}
