import { decoder, readRope, type DecoderConfig } from '@weft/nn';
import { configReader, resolvePreset, type Backbone, type Json, type Source } from '@weft/spec';

/** Qwen2 and Qwen2.5: Llama's decoder with biases on q, k and v. */
export type Qwen2Config = DecoderConfig;

const common = { hiddenAct: 'silu', qkvBias: true, outputBias: false, mlpBias: false, rmsNormEps: 1e-6, ropeTheta: 1e6 } as const;
const tied = { ...common, tieWordEmbeddings: true, vocabSize: 151936, numKeyValueHeads: 2 } as const;
const large = { ...common, tieWordEmbeddings: false, vocabSize: 152064, headDim: 128, rotaryDim: 128 } as const;

/** Published sizes. */
export const qwen2Presets = {
  'qwen2-0.5b': { ...tied, hiddenSize: 896, intermediateSize: 4864, numHiddenLayers: 24, numAttentionHeads: 14, headDim: 64, rotaryDim: 64 },
  'qwen2-1.5b': { ...tied, hiddenSize: 1536, intermediateSize: 8960, numHiddenLayers: 28, numAttentionHeads: 12, headDim: 128, rotaryDim: 128 },
  'qwen2.5-3b': { ...tied, hiddenSize: 2048, intermediateSize: 11008, numHiddenLayers: 36, numAttentionHeads: 16, headDim: 128, rotaryDim: 128 },
  'qwen2-7b': { ...large, hiddenSize: 3584, intermediateSize: 18944, numHiddenLayers: 28, numAttentionHeads: 28, numKeyValueHeads: 4 },
  'qwen2-72b': { ...large, hiddenSize: 8192, intermediateSize: 29568, numHiddenLayers: 80, numAttentionHeads: 64, numKeyValueHeads: 8 },
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
export function qwen2(config: keyof typeof qwen2Presets | Qwen2Config, changes: Partial<Qwen2Config> = {}): Backbone {
  const c = { ...resolvePreset<Qwen2Config>('backbone-qwen2', qwen2Presets, config), ...changes };
  return decoder(c, { id: 'backbone-qwen2', source });
}

/** Reads the text section of a `config.json` of model type `qwen2`. */
export function readQwen2Config(section: Json): Qwen2Config {
  const read = configReader(section, 'text_config');
  const hiddenSize = read.number('hidden_size', 4096);
  const numAttentionHeads = read.number('num_attention_heads', 32);
  const headDim = read.number('head_dim', hiddenSize / numAttentionHeads);
  const window = read.boolean('use_sliding_window', false) ? read.raw('sliding_window') : undefined;
  return {
    ...common,
    hiddenSize,
    intermediateSize: read.number('intermediate_size', 22016),
    numHiddenLayers: read.number('num_hidden_layers', 32),
    numAttentionHeads,
    numKeyValueHeads: read.number('num_key_value_heads', 32),
    headDim,
    vocabSize: read.number('vocab_size', 151936),
    hiddenAct: read.string('hidden_act', 'silu'),
    rmsNormEps: read.number('rms_norm_eps', 1e-6),
    tieWordEmbeddings: read.boolean('tie_word_embeddings', false),
    slidingWindow: typeof window === 'number' ? window : undefined,
    ...readRope(section, headDim),
  };
}
