import { queryPoolConnector } from '@weft/connector-resampler';
import {
  anyShapeSiglip,
  anyShapeSiglipPart,
  readAnyShapeSiglipConfig,
  siglipPresets,
} from '@weft/encoder-siglip';
import { ConfigError } from '@weft/errors';
import { unifiedFusion } from '@weft/fusion-unified';
import { cornerTiles, readCornerTiles } from '@weft/processors';
import { configReader, type Json, type Model } from '@weft/spec';
import { compose } from '../compose.js';
import { textSection } from '../part-sizes.js';
import { llavaName, tiedHead } from './llava-parts.js';
import { imageSection } from '../processor-files.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';
import { readBackbone } from '../text.js';

/**
 * Aria (Li et al. 2024): SigLIP sees a picture of any shape, learnt queries ask it what it saw, a mixture of experts
 * answers.
 *
 *   image ──► SigLIP, positions by the picture's shape ──► 256 queries, MLP ──┐
 *                                                                             ├─► decoder with experts ──► text
 *   prompt ────────────────────────────────────────────► embeddings ──────────┘
 */
async function readAria(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const read = configReader(config, 'config');
  const vision = read.section('vision_config', {});
  const layer = read.number('vision_feature_layer', -1);
  const tower = readAnyShapeSiglipConfig(vision);
  const { numAttentionHeads: numHeads, patchSize } = tower;
  const encoder = anyShapeSiglip(tower, { featureLayers: [layer] });
  const { backbone, names } = await readBackbone(
    { model_type: 'aria_text', ...read.section('text_config') },
    tiedHead(config),
    files,
  );
  const queriesOfPatches = queriesOf(config);
  const largest = patchSize * Math.sqrt(Math.max(...Object.keys(queriesOfPatches).map(Number)));
  const section = imageSection(config, files, {
    classes: ['AriaImageProcessor'],
    processors: ['AriaProcessor'],
  });
  const tiles = readCornerTiles(section, largest);
  requireQueries(
    files,
    tiles.tileSize,
    queriesOfPatches[String(Math.floor(tiles.tileSize / patchSize) ** 2)],
  );

  return compose({
    name: 'aria',
    source: {
      paper: 'https://arxiv.org/abs/2410.05993',
      code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/aria/modeling_aria.py',
    },
    encoder,
    connector: queryPoolConnector({ queriesOfPatches, numHeads }),
    backbone,
    fusion: unifiedFusion(),
    imageTokenId: read.number('image_token_index', Number(read.raw('image_token_id') ?? 9)),
    placeholder: '<|img|>',
    processor: cornerTiles(tiles),
    checkpoint: { ...names, rename: llavaName },
    config,
  });
}

/** @throws ConfigError if `processor_config.json` counts other tokens of a tile than the projector makes */
function requireQueries({ origin }: RecipeFiles, tileSize: number, queries: number | undefined): void {
  if (!origin?.processor) return;
  const stated = (origin.processor['size_conversion'] ?? { 490: 128, 980: 256 }) as Json;
  if (stated[String(tileSize)] !== queries)
    throw new ConfigError({
      message: `processor_config.json: size_conversion gives a tile of ${tileSize} pixels ${JSON.stringify(stated[String(tileSize)] ?? null)} tokens, but projector_patch_to_query_dict of config.json ${queries ?? 'none'}.`,
      hint: 'Both files must come from one checkpoint.',
    });
}

function queriesOf(config: Json): Readonly<Record<string, number>> {
  const given = config['projector_patch_to_query_dict'] ?? { 1225: 128, 4900: 256 };
  const entries = Object.entries(given as Json).map(
    ([patches, queries]) => [patches, Number(queries)] as const,
  );
  if (entries.length > 0 && entries.every((entry) => entry.every((number) => Number(number) >= 1)))
    return Object.fromEntries(entries);
  throw new ConfigError({
    message: `config.json: projector_patch_to_query_dict is ${JSON.stringify(given)}.`,
    hint: 'It holds a number of queries for each number of patches, such as {"1225": 128, "4900": 256}.',
  });
}

/** Aria: a SigLIP for tiles of 980 pixels, and a decoder of its own. */
const aria = async (): Promise<PresetFiles> => ({
  config: {
    model_type: 'aria',
    vision_config: anyShapeSiglipPart.write!({ ...siglipPresets['so400m-patch14-384'], imageSize: 980 })!,
    text_config: await textSection('backbone-aria', 'aria-text'),
    projector_patch_to_query_dict: { 1225: 128, 4900: 256 },
    image_token_index: 9,
  },
  preprocessor: { max_image_size: 980, min_image_size: 336, split_image: false, resample: 3 },
});

export const ariaRecipe: RecipeDefinition = {
  name: 'aria',
  types: ['aria'],
  presets: { aria },
  read: readAria,
};
