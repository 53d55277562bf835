import { mlpConnector } from '@weft/connector-mlp';
import { siglip, siglipPresets, type SiglipConfig } from '@weft/encoder-siglip';
import { ConfigError } from '@weft/errors';
import { unifiedFusion } from '@weft/fusion-unified';
import { readJanusProcessor, singleTile } from '@weft/processors';
import { readActivation } from '@weft/nn';
import {
  configReader,
  type CheckpointNames,
  type Connector,
  type Json,
  type Model,
  type TensorSlice,
} from '@weft/spec';
import { compose } from '../compose.js';
import { textSection } from '../part-sizes.js';
import { imageSection, requireImageToken, requireProcessor } from '../processor-files.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';
import { readBackbone } from '../text.js';

/**
 * Janus and Janus-Pro (Wu et al. 2024, Chen et al. 2025), as far as they understand pictures: SigLIP sees, two linear
 * layers translate, DeepSeek-LLM answers. The parts that draw pictures are left out.
 *
 *   image ──► SigLIP ──► MLP ──┐
 *                              ├─► DeepSeek-LLM ──► text
 *   prompt ──────► embeddings ─┘
 *
 * Reads transformers' layout (`janus`) and that of the original repository (`multi_modality`).
 */
async function readJanus(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const read = configReader(config, 'config');
  const isOriginal = read.string('model_type', 'janus') === 'multi_modality';
  const vision = isOriginal ? originalTower(config) : portedTower(read.section('vision_config', {}));
  const depth = isOriginal ? originalDepth(config) : portedDepth(config);
  const text = read.section(isOriginal ? 'language_config' : 'text_config');
  const tied = read.boolean('tie_word_embeddings', text['tie_word_embeddings'] === true);
  const { backbone, names } = await readBackbone(
    { model_type: 'llama', ...text },
    { tie_word_embeddings: tied },
    files,
  );
  const encoder = siglip(vision, { postNorm: true });
  const section = imageSection(
    config,
    files,
    isOriginal
      ? { classes: ['VLMImageProcessor'] }
      : { classes: ['JanusImageProcessor'], processors: ['JanusProcessor'] },
  );
  if (!isOriginal) {
    requireImageToken(files, '<image_placeholder>');
    requireProcessor(files, [
      { key: 'num_image_tokens', model: encoder.grid![0] * encoder.grid![1], usual: 576 },
    ]);
  }

  return compose({
    name: 'janus',
    source: {
      paper: 'https://arxiv.org/abs/2410.13848',
      code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/janus/modeling_janus.py',
    },
    encoder,
    connector: (context) =>
      mlpConnector({ hiddenAct: vision.hiddenAct, depth })(context).withPaths(
        alignerPaths(depth),
      ) as Connector,
    backbone: backbone.withPaths({ model: 'model.language_model' }) as typeof backbone,
    fusion: unifiedFusion(),
    imageTokenId: read.number('image_token_id', 100581),
    placeholder: '<image_placeholder>',
    processor: singleTile(readJanusProcessor(section, isOriginal ? 'down' : 'half-even')),
    paths: { encoder: 'model.vision_model', connector: 'model.aligner', backbone: '' },
    checkpoint: janusNames(names),
    config,
  });
}

function portedTower(section: Json): SiglipConfig {
  const read = configReader(section, 'vision_config');
  const hiddenSize = read.number('hidden_size', 1024);
  if (read.boolean('use_qk_norm', false) || !read.boolean('attention_bias', true))
    throw new ConfigError({
      message: `config.json: a Janus tower with use_qk_norm ${String(read.raw('use_qk_norm') ?? false)} and attention_bias ${String(read.raw('attention_bias') ?? true)} is not known.`,
      hint: 'Published ones have no norm of queries and keys, and biases.',
    });
  return {
    hiddenSize,
    intermediateSize: Math.trunc(hiddenSize * read.number('mlp_ratio', 4)),
    numHiddenLayers: read.number('num_hidden_layers', 24),
    numAttentionHeads: read.number('num_attention_heads', 16),
    numChannels: read.number('num_channels', 3),
    imageSize: read.number('image_size', 384),
    patchSize: read.number('patch_size', 16),
    hiddenAct: readActivation(read, 'gelu'),
    layerNormEps: read.number('layer_norm_eps', 1e-6),
    visionUseHead: false,
  };
}

/** Linear layers of the aligner, which stand in the section of the tower. */
const portedDepth = (config: Json): number =>
  configReader(configReader(config, 'config').section('vision_config', {}), 'vision_config').number(
    'depth',
    2,
  );

const originalDepth = (config: Json): number => {
  const aligner = configReader(
    configReader(config, 'config').section('aligner_config', {}),
    'aligner_config',
  );
  return configReader(aligner.section('params', {}), 'aligner_config.params').number('depth', 2);
};

const alignerPaths = (depth: number): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Array.from({ length: depth }, (_, i) => [`linear_${i + 1}`, i === 0 ? 'fc1' : `hidden_layers.${i - 1}`]),
  );

/** The original repository names its tower instead of describing it. */
function originalTower(config: Json): SiglipConfig {
  const read = configReader(configReader(config, 'config').section('vision_config', {}), 'vision_config');
  const parameters = configReader(read.section('params', {}), 'vision_config.params');
  const name = parameters.string('model_name', 'siglip_large_patch16_384');
  if (name !== 'siglip_large_patch16_384' || parameters.number('select_layer', -1) !== -1)
    throw new ConfigError({
      message: `config.json: there is no tower '${name}' read at layer ${String(parameters.raw('select_layer') ?? -1)}.`,
      hint: "Known: 'siglip_large_patch16_384' at layer -1.",
    });
  // timm's SigLIP computes the exact GELU.
  return { ...siglipPresets['large-patch16-384'], hiddenAct: 'gelu', visionUseHead: false };
}

const drawing = [
  /^(model\.)?(vqmodel|generation_(embeddings|aligner|head))\./,
  /^gen_(vision_model|aligner|head|embed)\./,
];

/** The names of transformers, from those and from the original repository's. */
const janusNames = (text: CheckpointNames): CheckpointNames => ({
  split: (name, shape) => splitOriginal(name, shape) ?? text.split?.(name, shape),
  rename: (name) =>
    name
      .replace(/^language_model\.model\./, 'model.language_model.')
      .replace(/^language_model\.lm_head\./, 'lm_head.')
      .replace(/^aligner\.layers\.0\./, 'model.aligner.fc1.')
      // Every second one of the other layers is an activation.
      .replace(
        /^aligner\.layers\.(\d*[2468]|\d+0)\./,
        (_, at: string) => `model.aligner.hidden_layers.${Number(at) / 2 - 1}.`,
      )
      .replace(/^vision_model\.vision_tower\./, 'model.vision_model.')
      .replace(/^model\.vision_model\.patch_embed\.proj\./, 'model.vision_model.embeddings.patch_embedding.')
      .replace(/^model\.vision_model\.norm\./, 'model.vision_model.post_layernorm.')
      .replace(/^model\.vision_model\.blocks\./, 'model.vision_model.encoder.layers.')
      .replace(/^(model\.vision_model\.encoder\.layers\.\d+)\.norm([12])\./, '$1.layer_norm$2.')
      .replace(/^(model\.vision_model\.encoder\.layers\.\d+)\.attn\.proj\./, '$1.self_attn.out_proj.')
      .replace(/\.self_attn\.projection_layer\./, '.self_attn.out_proj.'),
  stored: (name) => ({
    name: name.replace(/^(model\.vision_model\..*\.self_attn)\.out_proj\./, '$1.projection_layer.'),
  }),
  unused: (name) =>
    drawing.some((pattern) => pattern.test(name))
      ? { reason: 'draws pictures, which this recipe leaves out' }
      : name.startsWith('vision_model.vision_tower.attn_pool.')
        ? { reason: 'pools patches for the contrastive model' }
        : text.unused?.(name),
});

/** Fused projections and the position table of the original layout. */
function splitOriginal(name: string, shape: readonly number[]): readonly TensorSlice[] | undefined {
  const tower = 'vision_model.vision_tower.';
  if (name === `${tower}pos_embed`)
    return [
      { name: 'model.vision_model.embeddings.position_embedding.weight', start: 0, shape: shape.slice(1) },
    ];
  const [, layer, kind] =
    /^vision_model\.vision_tower\.blocks\.(\d+)\.attn\.qkv\.(weight|bias)$/.exec(name) ?? [];
  if (layer === undefined) return undefined;
  const [rows = 0, ...rest] = shape;
  const own = [rows / 3, ...rest];
  const size = own.reduce((product, side) => product * side, 1);
  return ['q', 'k', 'v'].map((letter, i) => ({
    name: `model.vision_model.encoder.layers.${layer}.self_attn.${letter}_proj.${kind}`,
    start: i * size,
    shape: own,
  }));
}

/** Janus without the parts that draw: SigLIP large and a DeepSeek-LLM. */
const janus = (backbone: string) => async (): Promise<PresetFiles> => ({
  config: {
    model_type: 'janus',
    vision_config: {},
    text_config: await textSection('backbone-llama', backbone),
    image_token_id: 100581,
    tie_word_embeddings: false,
  },
  preprocessor: {
    size: { height: 384, width: 384 },
    min_size: 14,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  },
});

export const janusRecipe: RecipeDefinition = {
  name: 'janus',
  types: ['janus', 'multi_modality'],
  presets: {
    'janus-1.3b': janus('deepseek-llm-1.3b'),
    'janus-pro-1b': janus('deepseek-llm-1.3b'),
    'janus-pro-7b': janus('deepseek-llm-7b'),
  },
  read: readJanus,
};
