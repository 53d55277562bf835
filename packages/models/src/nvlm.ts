import { shuffleMlpConnector } from '@weft/connector-pixel-shuffle';
import { internVit, readOriginalInternVitConfig } from '@weft/encoder-intern-vit';
import { ConfigError } from '@weft/errors';
import { crossAttention } from '@weft/fusion-cross-attention';
import { hybrid } from '@weft/fusion-hybrid';
import { unifiedFusion } from '@weft/fusion-unified';
import { dynamicTiles, readDynamicTiles } from '@weft/processors';
import { configReader, type Fusion, type Json, type Model } from '@weft/spec';
import { compose } from './compose.js';
import type { CrossComposition } from './cross-sight.js';
import { originalInternVlNames, originalInternVlPaths } from './original-internvl.js';
import type { RecipeFiles } from './recipes.js';
import { backboneOf } from './text.js';

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
export function nvlmRecipe(config: Json, { preprocessor = {} }: RecipeFiles = {}): Model {
  const read = configReader(config, 'config');
  const type = read.string('model_type');
  const method = methods[type]!;
  const vision = readOriginalInternVitConfig({
    image_size: read.number('force_image_size', 448),
    ...read.section('vision_config'),
  });
  const backbone = backboneOf({ model_type: 'qwen2', ...read.section('llm_config') });
  const tags = readTags(read.raw('tile_tag_ids'));
  const tiles = readDynamicTiles(preprocessor, {
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
    fusion: fusionOf(method, config),
    cross: crossOf(method, tags),
    imageTokenId: read.number('image_token_id', 151654),
    placeholder: '<|vision_pad|>',
    processor: dynamicTiles(tiles),
    paths: originalInternVlPaths,
    checkpoint: originalInternVlNames(backbone),
    config,
  });
}

function fusionOf(method: Fusion['method'], config: Json): Fusion {
  if (method === 'A') return unifiedFusion();
  const every = configReader(config, 'config').number('cross_attention_every');
  return method === 'B' ? crossAttention({ every, visibility: 'all' }) : hybrid({ every, visibility: 'all' });
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
