import { llama, llamaPart, llamaPresets, type LlamaConfig } from '@weft/backbone-llama';
import { linearConnector } from '@weft/connector-linear';
import {
  mllamaVision,
  mllamaVisionPart,
  mllamaVisionPresets,
  readMllamaVisionConfig,
} from '@weft/encoder-mllama';
import { ConfigError, shown, type TakeNotice } from '@weft/errors';
import { crossAttention } from '@weft/fusion-cross-attention';
import { readActivation, readRope } from '@weft/nn';
import { canvasTiles, readCanvasTiles } from '@weft/processors';
import { configReader, type Json, type Model } from '@weft/spec';
import { mllamaNames } from '../checkpoint-names.js';
import { compose } from '../compose.js';
import { imageSection, requireImageToken } from '../processor-files.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';

/** Tokens that have an embedding but no logit: `<|image|>`, and seven that no file names. */
const extraTokens = 8;

/**
 * Llama 3.2 Vision (Llama Team 2024, section 7): a vision transformer sees up to four tiles, one linear layer
 * translates, and gated cross-attention layers between those of a Llama attend to the tiles. The text weights are
 * Llama's own, and without images the model is Llama.
 *
 *   image ──► tiles ──► ViT ──► linear ──► keys and values ──┐ (once)
 *                                                            ▼
 *   prompt ──► embeddings ──► Llama ─► ... ─► gated cross-attention ─► ... ──► text
 *
 * Choices that no file of a published checkpoint states are recipe options; a `config.json` may state them as well:
 * `capture` (`weft_capture`), the rule for intermediate layers of the tower, `before` or `after`, else that of the
 * version of transformers that wrote the file; and `unseen` (`weft_unseen`), what is kept from tokens that see no image,
 * `mlp` or `attention-and-mlp`.
 */
function readMllama(config: Json, files: RecipeFiles = {}): Model {
  const { options = {}, notice } = files;
  const read = configReader(config, 'config');
  const choose = <C extends string>(name: string, values: readonly [C, C], usual: C): C => {
    const value = options[name] ?? read.raw(`weft_${name}`) ?? usual;
    const found = values.find((one) => one === value);
    if (found) return found;
    throw new ConfigError({
      message: `${name} is ${JSON.stringify(value)}.`,
      where: name in options ? 'options' : 'config.json',
      hint: `It is '${values[0]}' or '${values[1]}'.`,
    });
  };
  const capture = choose('capture', ['before', 'after'], captureOf(read.raw('transformers_version')));
  const vision = readMllamaVisionConfig(read.section('vision_config', {}));
  const section = read.section('text_config', {});
  const crossLayers = readCrossLayers(section);
  const backbone = llama(readText(section, crossLayers.length, notice));
  requireImageToken(files, '<|image|>');

  return compose({
    name: 'mllama',
    source: {
      paper: 'https://arxiv.org/abs/2407.21783',
      code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/mllama/modeling_mllama.py',
    },
    encoder: mllamaVision(vision, { capture }),
    connector: linearConnector(),
    backbone,
    fusion: crossAttention({
      // The file counts all layers, the cross-attention layers among them.
      at: crossLayers.map((layer, i) => layer - i),
      naming: 'merged',
      unseen: choose('unseen', ['mlp', 'attention-and-mlp'], 'mlp'),
    }),
    imageTokenId: read.number('image_token_index', Number(read.raw('image_token_id') ?? 128256)),
    placeholder: '<|image|>',
    prompt: { backdrop: 'white', insertsFirstToken: true },
    processor: canvasTiles(
      readCanvasTiles(
        imageSection(config, files, { classes: ['MllamaImageProcessor'], processors: ['MllamaProcessor'] }),
      ),
    ),
    paths: { encoder: 'vision_model' },
    checkpoint: mllamaNames(backbone),
    config,
  });
}

/**
 * Which state of an intermediate layer a version of transformers takes: up to 4.54 the one before the layer, as the
 * published weights were trained, since then the one after it (pull request 39643).
 */
function captureOf(version: unknown): 'before' | 'after' {
  if (version !== undefined && version !== null && typeof version !== 'string')
    throw new ConfigError({
      message: `config.json: transformers_version is ${shown(version)}, expected a text such as "5.18.0".`,
    });
  const [major = 0, minor = 0] = String(version ?? '')
    .split('.')
    .map(Number);
  return major > 4 || (major === 4 && minor >= 55) ? 'after' : 'before';
}

/** Which of all layers are cross-attention layers, in order. */
function readCrossLayers(section: Json): readonly number[] {
  const layers = configReader(section, 'text_config').number('num_hidden_layers', 40);
  const given = section['cross_attention_layers'] ?? [3, 8, 13, 18, 23, 28, 33, 38];
  const isLayer = (value: unknown): value is number =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) < layers;
  if (Array.isArray(given) && given.every(isLayer) && new Set(given).size === given.length)
    return given.toSorted((a, b) => a - b);
  throw new ConfigError({
    message: `text_config.cross_attention_layers is ${JSON.stringify(given)}, expected a list of different layers from 0 to ${layers - 1}.`,
    where: 'config.json',
    hint: 'num_hidden_layers counts all layers, those of cross-attention among them.',
  });
}

/** The text section; class defaults are those of `MllamaTextConfig`. */
function readText(section: Json, crossLayers: number, notice?: TakeNotice): LlamaConfig {
  const read = configReader(section, 'text_config');
  const hiddenSize = read.number('hidden_size', 4096);
  const numAttentionHeads = read.number('num_attention_heads', 32);
  const headDim = hiddenSize / numAttentionHeads;
  return {
    hiddenSize,
    intermediateSize: read.number('intermediate_size', 14336),
    numHiddenLayers: read.number('num_hidden_layers', 40) - crossLayers,
    numAttentionHeads,
    numKeyValueHeads: read.number('num_key_value_heads', 8),
    headDim,
    vocabSize: read.number('vocab_size', 128256),
    extraTokens,
    hiddenAct: readActivation(read, 'silu'),
    rmsNormEps: read.number('rms_norm_eps', 1e-5),
    tieWordEmbeddings: read.boolean('tie_word_embeddings', false),
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
    ...readRope(section, headDim, { ropeTheta: 500000, maxPositionEmbeddings: 131072 }, notice),
  };
}

/** Llama 3.2 Vision: a Llama 3.1 with a cross-attention layer before every fourth of its layers. */
const llamaVision = (backbone: LlamaConfig) => async (): Promise<PresetFiles> => {
  const crossLayers = Array.from({ length: backbone.numHiddenLayers / 4 }, (_, i) => 3 + 5 * i);
  return {
    config: {
      model_type: 'mllama',
      vision_config: mllamaVisionPart.write!(mllamaVisionPresets['llama-3.2-vision'])!,
      text_config: {
        ...llamaPart.write!(backbone),
        num_hidden_layers: backbone.numHiddenLayers + crossLayers.length,
        cross_attention_layers: crossLayers,
      },
      image_token_index: 128256,
    },
    preprocessor: {
      size: { height: 560, width: 560 },
      max_image_tiles: 4,
      resample: 2,
      image_mean: [0.48145466, 0.4578275, 0.40821073],
      image_std: [0.26862954, 0.26130258, 0.27577711],
    },
  };
};

export const mllamaRecipe: RecipeDefinition = {
  name: 'mllama',
  types: ['mllama'],
  presets: {
    'llama-3.2-11b-vision': llamaVision(llamaPresets['llama-3.1-8b']),
    'llama-3.2-90b-vision': llamaVision(llamaPresets['llama-3.1-70b']),
  },
  read: readMllama,
};
