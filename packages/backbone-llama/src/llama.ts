import {
  decoderFields,
  decoder,
  decoderSection,
  readDecoderStack,
  splitExperts,
  type DecoderConfig,
} from '@weft/nn';
import {
  checkConfig,
  configReader,
  resolvePreset,
  type Backbone,
  type Json,
  type PartDefinition,
  type Source,
  type TakeNotice,
} from '@weft/spec';

/** Llama 2 and 3, Vicuna, Mistral, SmolLM, DeepSeek-LLM, Yi: one architecture, other sizes. */
export type LlamaConfig = DecoderConfig;

const plain = {
  hiddenAct: 'silu',
  tieWordEmbeddings: false,
  qkvBias: false,
  outputBias: false,
  mlpBias: false,
  rmsNormEps: 1e-5,
} as const;
const llama2 = { ...plain, vocabSize: 32000, headDim: 128, rotaryDim: 128, ropeTheta: 10000 } as const;
const scaling = {
  type: 'llama3',
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalMaxPositionEmbeddings: 8192,
} as const;
const llama3 = {
  ...plain,
  vocabSize: 128256,
  headDim: 128,
  rotaryDim: 128,
  ropeTheta: 500000,
  numKeyValueHeads: 8,
} as const;
const llama31 = { ...llama3, ropeScaling: { ...scaling, factor: 8 } } as const;
const llama32 = { ...llama3, ropeScaling: { ...scaling, factor: 32 }, tieWordEmbeddings: true } as const;
const smollm2 = {
  ...plain,
  headDim: 64,
  rotaryDim: 64,
  ropeTheta: 100000,
  vocabSize: 49152,
  tieWordEmbeddings: true,
} as const;
const deepseek = {
  ...plain,
  rmsNormEps: 1e-6,
  headDim: 128,
  rotaryDim: 128,
  vocabSize: 102400,
  ropeTheta: 10000,
} as const;
const mistral = {
  ...plain,
  headDim: 128,
  rotaryDim: 128,
  numKeyValueHeads: 8,
  intermediateSize: 14336,
  numAttentionHeads: 32,
} as const;

/** Published sizes. */
export const llamaPresets = {
  'llama-2-7b': {
    ...llama2,
    hiddenSize: 4096,
    intermediateSize: 11008,
    numHiddenLayers: 32,
    numAttentionHeads: 32,
    numKeyValueHeads: 32,
  },
  'llama-2-13b': {
    ...llama2,
    hiddenSize: 5120,
    intermediateSize: 13824,
    numHiddenLayers: 40,
    numAttentionHeads: 40,
    numKeyValueHeads: 40,
  },
  'llama-30b': {
    ...llama2,
    rmsNormEps: 1e-6,
    hiddenSize: 6656,
    intermediateSize: 17920,
    numHiddenLayers: 60,
    numAttentionHeads: 52,
    numKeyValueHeads: 52,
  },
  'llama-3.1-8b': {
    ...llama31,
    hiddenSize: 4096,
    intermediateSize: 14336,
    numHiddenLayers: 32,
    numAttentionHeads: 32,
  },
  'llama-3.1-70b': {
    ...llama31,
    hiddenSize: 8192,
    intermediateSize: 28672,
    numHiddenLayers: 80,
    numAttentionHeads: 64,
  },
  'llama-3.2-1b': {
    ...llama32,
    headDim: 64,
    rotaryDim: 64,
    hiddenSize: 2048,
    intermediateSize: 8192,
    numHiddenLayers: 16,
    numAttentionHeads: 32,
  },
  'llama-3.2-3b': {
    ...llama32,
    hiddenSize: 3072,
    intermediateSize: 8192,
    numHiddenLayers: 28,
    numAttentionHeads: 24,
  },
  'mistral-7b-v0.1': {
    ...mistral,
    hiddenSize: 4096,
    numHiddenLayers: 32,
    vocabSize: 32000,
    ropeTheta: 10000,
    slidingWindow: 4096,
  },
  'mistral-7b-v0.3': { ...mistral, hiddenSize: 4096, numHiddenLayers: 32, vocabSize: 32768, ropeTheta: 1e6 },
  'mistral-nemo-12b': {
    ...mistral,
    hiddenSize: 5120,
    numHiddenLayers: 40,
    vocabSize: 131072,
    ropeTheta: 1e6,
  },
  'smollm2-135m': {
    ...smollm2,
    hiddenSize: 576,
    intermediateSize: 1536,
    numHiddenLayers: 30,
    numAttentionHeads: 9,
    numKeyValueHeads: 3,
  },
  'smollm2-360m': {
    ...smollm2,
    hiddenSize: 960,
    intermediateSize: 2560,
    numHiddenLayers: 32,
    numAttentionHeads: 15,
    numKeyValueHeads: 5,
  },
  'deepseek-llm-1.3b': {
    ...deepseek,
    hiddenSize: 2048,
    intermediateSize: 5632,
    numHiddenLayers: 24,
    numAttentionHeads: 16,
    numKeyValueHeads: 16,
  },
  'deepseek-llm-7b': {
    ...deepseek,
    hiddenSize: 4096,
    intermediateSize: 11008,
    numHiddenLayers: 30,
    numAttentionHeads: 32,
    numKeyValueHeads: 32,
  },
  'yi-34b': {
    ...llama2,
    hiddenSize: 7168,
    intermediateSize: 20480,
    numHiddenLayers: 60,
    numAttentionHeads: 56,
    numKeyValueHeads: 8,
    vocabSize: 64000,
    ropeTheta: 5e6,
  },
} as const satisfies Record<string, LlamaConfig>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2407.21783',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/llama/modeling_llama.py',
};

/**
 * Llama's decoder: pre-norm, rotary positions, grouped-query attention, gated MLP.
 *
 * @param config preset name or full configuration
 * @param changes fields that differ from the preset, for example `vocabSize` after adding tokens
 */
export function llama(
  config: keyof typeof llamaPresets | LlamaConfig,
  changes: Partial<LlamaConfig> = {},
): Backbone {
  const c = checkConfig(llamaPart, {
    ...resolvePreset<LlamaConfig>('backbone-llama', llamaPresets, config),
    ...changes,
  });
  return decoder(c, { id: 'backbone-llama', source });
}

/** Reads the text section of a `config.json` of model type `llama` or `mistral`. */
export function readLlamaConfig(section: Json, notice?: TakeNotice): LlamaConfig {
  const read = configReader(section, 'text_config');
  const mistral = read.raw('model_type') === 'mistral';
  const attentionBias = read.boolean('attention_bias', false);
  const window = read.raw('sliding_window') ?? (mistral && !('sliding_window' in section) ? 4096 : null);
  return {
    ...readDecoderStack(
      section,
      {
        hiddenSize: 4096,
        intermediateSize: mistral ? 14336 : 11008,
        numHiddenLayers: 32,
        numAttentionHeads: 32,
        ...(mistral ? { numKeyValueHeads: 8 } : {}),
        vocabSize: 32000,
        hiddenAct: 'silu',
        maxPositionEmbeddings: mistral ? 131072 : 2048,
      },
      notice,
    ),
    rmsNormEps: read.number('rms_norm_eps', 1e-6),
    qkvBias: attentionBias,
    outputBias: attentionBias,
    mlpBias: read.boolean('mlp_bias', false),
    slidingWindow: typeof window === 'number' ? window : undefined,
  };
}

/** The text section of a `config.json`, or `undefined` if neither Llama nor Mistral of transformers has these parts. */
export function llamaSection(c: LlamaConfig): Json | undefined {
  const stack = decoderSection(c);
  if (!stack || c.experts || c.qkvBias !== c.outputBias) return undefined;
  const section = { ...stack, rms_norm_eps: c.rmsNormEps };
  if (c.slidingWindow === undefined)
    return { model_type: 'llama', ...section, attention_bias: c.qkvBias, mlp_bias: c.mlpBias };
  const isMistral = !c.qkvBias && !c.mlpBias && !c.layerTypes;
  return isMistral ? { model_type: 'mistral', ...section, sliding_window: c.slidingWindow } : undefined;
}

/** Llama's decoder, by its name. */
export const llamaPart: PartDefinition<'backbone', LlamaConfig> = {
  id: 'backbone-llama',
  kind: 'backbone',
  create: (config) => llama(config),
  fields: {
    ...decoderFields,
    rmsNormEps: 'positive',
    qkvBias: 'flag',
    outputBias: 'flag',
    mlpBias: 'flag',
    experts: {
      optional: {
        section: { numExperts: 'count', numExpertsPerTok: 'count', normTopkProb: 'flag', every: 'count' },
      },
    },
  },
  presets: llamaPresets,
  source,
  types: ['llama', 'mistral'],
  read: readLlamaConfig,
  write: llamaSection,
  split: splitExperts,
};
