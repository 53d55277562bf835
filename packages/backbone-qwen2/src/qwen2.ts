import {
  decoderFields,
  decoder,
  decoderSection,
  readDecoderStack,
  splitExperts,
  type DecoderConfig,
  type LayerType,
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

/** Qwen2 and Qwen2.5: Llama's decoder with biases on q, k and v. */
export type Qwen2Config = DecoderConfig;

const common = {
  hiddenAct: 'silu',
  qkvBias: true,
  outputBias: false,
  mlpBias: false,
  rmsNormEps: 1e-6,
  ropeTheta: 1e6,
} as const;
const tied = { ...common, tieWordEmbeddings: true, vocabSize: 151936, numKeyValueHeads: 2 } as const;
const large = {
  ...common,
  tieWordEmbeddings: false,
  vocabSize: 152064,
  headDim: 128,
  rotaryDim: 128,
} as const;

/** Published sizes. */
export const qwen2Presets = {
  'qwen2-0.5b': {
    ...tied,
    hiddenSize: 896,
    intermediateSize: 4864,
    numHiddenLayers: 24,
    numAttentionHeads: 14,
    headDim: 64,
    rotaryDim: 64,
  },
  'qwen2-1.5b': {
    ...tied,
    hiddenSize: 1536,
    intermediateSize: 8960,
    numHiddenLayers: 28,
    numAttentionHeads: 12,
    headDim: 128,
    rotaryDim: 128,
  },
  'qwen2.5-3b': {
    ...tied,
    hiddenSize: 2048,
    intermediateSize: 11008,
    numHiddenLayers: 36,
    numAttentionHeads: 16,
    headDim: 128,
    rotaryDim: 128,
  },
  'qwen2-7b': {
    ...large,
    hiddenSize: 3584,
    intermediateSize: 18944,
    numHiddenLayers: 28,
    numAttentionHeads: 28,
    numKeyValueHeads: 4,
  },
  'qwen2-72b': {
    ...large,
    hiddenSize: 8192,
    intermediateSize: 29568,
    numHiddenLayers: 80,
    numAttentionHeads: 64,
    numKeyValueHeads: 8,
  },
} as const satisfies Record<string, Qwen2Config>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2407.10671',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/qwen2/modeling_qwen2.py',
};

/**
 * Qwen2's decoder.
 *
 * @param config preset name or full configuration
 * @param changes fields that differ from the preset
 */
export function qwen2(
  config: keyof typeof qwen2Presets | Qwen2Config,
  changes: Partial<Qwen2Config> = {},
): Backbone {
  const c = checkConfig(qwen2Part, {
    ...resolvePreset<Qwen2Config>('backbone-qwen2', qwen2Presets, config),
    ...changes,
  });
  return decoder(c, { id: 'backbone-qwen2', source });
}

/** Reads the text section of a `config.json` of model type `qwen2`. */
export function readQwen2Config(section: Json, notice?: TakeNotice): Qwen2Config {
  const read = configReader(section, 'text_config');
  const stack = readDecoderStack(
    section,
    {
      hiddenSize: 4096,
      intermediateSize: 22016,
      numHiddenLayers: 32,
      numAttentionHeads: 32,
      numKeyValueHeads: 32,
      vocabSize: 151936,
      hiddenAct: 'silu',
      maxPositionEmbeddings: 32768,
    },
    notice,
  );
  return {
    ...stack,
    rmsNormEps: read.number('rms_norm_eps', 1e-6),
    qkvBias: true,
    outputBias: false,
    mlpBias: false,
    ...readWindow(section, stack.numHiddenLayers),
  };
}

/** The window is off unless the config turns it on, and then for the layers from `max_window_layers` on. */
function readWindow(
  section: Json,
  numHiddenLayers: number,
): Pick<Qwen2Config, 'slidingWindow' | 'layerTypes'> {
  const read = configReader(section, 'text_config');
  const isOn = read.boolean('use_sliding_window', false) && read.raw('sliding_window') !== null;
  const window = isOn ? read.number('sliding_window', 4096) : undefined;
  if (window === undefined) return {};
  const given = read.raw('layer_types');
  const first = read.number('max_window_layers', 28);
  if (!Array.isArray(given) && first <= 0) return { slidingWindow: window };
  const layerTypes = Array.isArray(given)
    ? (given as LayerType[])
    : Array.from({ length: numHiddenLayers }, (_, i): LayerType =>
        i >= first ? 'sliding_attention' : 'full_attention',
      );
  return { slidingWindow: window, layerTypes };
}

/** The text section of a `config.json`, or `undefined` if Qwen2 of transformers has no such parts. */
export function qwen2Section(c: Qwen2Config): Json | undefined {
  const stack = decoderSection(c);
  if (!stack || !c.qkvBias || c.outputBias || c.mlpBias || c.experts) return undefined;
  const { slidingWindow, layerTypes } = c;
  const window = {
    use_sliding_window: true,
    sliding_window: slidingWindow,
    max_window_layers: 0,
    ...(layerTypes ? { layer_types: layerTypes } : {}),
  };
  return {
    model_type: 'qwen2',
    ...stack,
    rms_norm_eps: c.rmsNormEps,
    ...(slidingWindow === undefined ? { use_sliding_window: false } : window),
  };
}

/** Qwen2's decoder, by its name. */
export const qwen2Part: PartDefinition<'backbone', Qwen2Config> = {
  id: 'backbone-qwen2',
  kind: 'backbone',
  create: (config) => qwen2(config),
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
  presets: qwen2Presets,
  source,
  types: ['qwen2'],
  read: readQwen2Config,
  write: qwen2Section,
  split: splitExperts,
};
