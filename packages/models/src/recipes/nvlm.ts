import { shuffleMlpConnector } from '@weft/connector-pixel-shuffle';
import { internVit, internVitPresets, readOriginalInternVitConfig } from '@weft/encoder-intern-vit';
import { ConfigError } from '@weft/errors';
import { dynamicTiles, readDynamicTiles } from '@weft/processors';
import { configReader, type Fusion, type Json, type Model } from '@weft/spec';
import { compose } from '../compose.js';
import { textSection } from '../part-sizes.js';
import { findDefinition, type PartSources } from '../parts.js';
import type { CrossComposition } from '../cross-sight.js';
import { imageSection } from '../processor-files.js';
import { originalClasses, originalInternVlNames, originalInternVlPaths } from './original-internvl.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';
import { readBackbone } from '../text.js';

/** What stands around a picture, and the tag of each of its tiles; a single tile is the thumbnail. */
const text = {
  frame: ['<Image>', '</Image>'],
  tag: '<tile_{n}>',
  lastTag: '<tile_global_thumbnail>',
} as const;

/** Methods by the `model_type` of `config.json`. Only the first is published with weights. */
const methods: Readonly<Record<string, Fusion['method']>> = { NVLM_D: 'A', nvlm_x: 'B', nvlm_h: 'H' };

/**
 * NVLM (Dai et al. 2024), one encoder and one language model in three architectures:
 *
 *   image ──► tiles + thumbnail ──► InternViT-6B ──► pixel shuffle, MLP ──┬─ D: all among the tokens ──────┐
 *                                                                         ├─ X: all by cross-attention ────┼─► Qwen2
 *                                                                         └─ H: thumbnail among the tokens,┘
 *                                                                               tiles by cross-attention
 *
 * Tags tell the tiles apart: `<tile_1>` to `<tile_6>` and `<tile_global_thumbnail>`, spelt with ordinary tokens. In D
 * and X they are in the text, in H before the embeddings of each tile. `config.json` of X and H states
 * `cross_attention_every` and, so that tags are found among ids, `tile_tag_ids`: the ids of the tags of the tiles, that
 * of the thumbnail last; without them there are no tags among the keys, and tokens of tags see all tiles.
 */
async function readNvlm(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const read = configReader(config, 'config');
  const type = read.string('model_type');
  const method = methods[type]!;
  const vision = readOriginalInternVitConfig({
    image_size: read.number('force_image_size', 448),
    ...read.section('vision_config'),
  });
  const { backbone, names } = await readBackbone(
    { model_type: 'qwen2', ...read.section('llm_config') },
    {},
    files,
  );
  const tags = readTags(read.raw('tile_tag_ids'));
  const tiles = readDynamicTiles(imageSection(config, files, originalClasses), {
    minTiles: read.number('min_dynamic_patch', 1),
    maxTiles: read.number('max_dynamic_patch', 6),
    thumbnail: read.boolean('use_thumbnail', true),
    text,
  });

  return compose({
    name: type.toLowerCase().replace('_', '-'),
    source: {
      paper: 'https://arxiv.org/abs/2409.11402',
      code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/internvl/modeling_internvl.py',
    },
    encoder: internVit(vision, { featureLayers: [read.number('select_layer', -1)] }),
    connector: shuffleMlpConnector({
      scaleFactor: Math.round(1 / read.number('downsample_ratio', 0.5)),
      // X has one layer only.
      intermediateSize: method === 'B' ? null : backbone.shape.intermediateSize,
      bias: false,
    }),
    backbone,
    fusion: await fusionOf(method, config, files),
    cross: crossOf(method, tags),
    imageTokenId: read.number('image_token_id', 151654),
    placeholder: '<|vision_pad|>',
    processor: dynamicTiles(tiles),
    paths: originalInternVlPaths,
    checkpoint: originalInternVlNames(names),
    config,
  });
}

async function fusionOf(method: Fusion['method'], config: Json, sources: PartSources): Promise<Fusion> {
  if (method === 'A') return (await findDefinition('fusion', 'fusion-unified', sources)).create({});
  const every = configReader(config, 'config').number('cross_attention_every');
  const id = method === 'B' ? 'fusion-cross-attention' : 'fusion-hybrid';
  return (await findDefinition('fusion', id, sources)).create({ every, visibility: 'all' });
}

function crossOf(method: Fusion['method'], tags: Tags | undefined): CrossComposition {
  const place = method === 'B' ? 'text' : 'keys';
  return {
    ...(method === 'B' ? { marks: 'tile' } : {}),
    ...(tags && method !== 'A' ? { tags: { place, ids: tags } } : {}),
  };
}

/** Ids of the tags of the tiles in order, that of the thumbnail last. */
type Tags = readonly (readonly number[])[];

function readTags(value: unknown): Tags | undefined {
  if (value === undefined || value === null) return undefined;
  const isTag = (tag: unknown): boolean => Array.isArray(tag) && tag.every((id) => Number.isInteger(id));
  if (!Array.isArray(value) || !value.every(isTag))
    throw new ConfigError({
      message: 'config.json: tile_tag_ids is not a list of lists of token ids.',
      hint: 'Give the ids of <tile_1>, <tile_2> and so on, those of <tile_global_thumbnail> last.',
    });
  return value as Tags;
}

/**
 * NVLM on Qwen2-72B, or on Yi-34B in the smaller experiments of the paper. Only D has weights; its tower has seven heads
 * of zeros. The paper's ten cross-attention layers are one before every eighth layer, or every sixth.
 */
const nvlm =
  (type: 'NVLM_D' | 'nvlm_x' | 'nvlm_h', language: () => Promise<Json>, layers: number) =>
  async (): Promise<PresetFiles> => {
    const c = internVitPresets['internvit-6b'];
    const section = await language();
    return {
      config: {
        model_type: type,
        force_image_size: c.imageSize,
        max_dynamic_patch: 6,
        use_thumbnail: true,
        vision_config: {
          hidden_size: c.hiddenSize,
          intermediate_size: c.intermediateSize,
          num_hidden_layers: c.numHiddenLayers,
          num_attention_heads: c.numAttentionHeads,
          image_size: c.imageSize,
          ...(type === 'NVLM_D' ? { num_dummy_heads: 7 } : {}),
        },
        llm_config: section,
        ...(type === 'NVLM_D' ? {} : { cross_attention_every: layers / 10 }),
        // Yi has no such token; a vocabulary's last row stands for one that would be added.
        ...(section['model_type'] === 'llama' ? { image_token_id: Number(section['vocab_size']) - 1 } : {}),
      },
    };
  };

const qwen72b = (): Promise<Json> => textSection('backbone-qwen2', 'qwen2-72b');
const yi34b = (): Promise<Json> => textSection('backbone-llama', 'yi-34b');

export const nvlmRecipe: RecipeDefinition = {
  name: 'nvlm',
  types: ['NVLM_D', 'nvlm_x', 'nvlm_h'],
  presets: {
    'nvlm-d-72b': nvlm('NVLM_D', qwen72b, 80),
    'nvlm-x-72b': nvlm('nvlm_x', qwen72b, 80),
    'nvlm-h-72b': nvlm('nvlm_h', qwen72b, 80),
    'nvlm-x-34b': nvlm('nvlm_x', yi34b, 60),
    'nvlm-h-34b': nvlm('nvlm_h', yi34b, 60),
  },
  read: readNvlm,
};
