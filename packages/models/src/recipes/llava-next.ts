import { anyresArranger, type AnyresConfig } from '@weft/connector-anyres';
import { mlpConnector } from '@weft/connector-mlp';
import { ConfigError } from '@weft/errors';
import { unifiedFusion } from '@weft/fusion-unified';
import { anyresTiles, placeOf, readAnyresTiles } from '@weft/processors';
import { readActivation } from '@weft/nn';
import { configReader, type Json, type Model } from '@weft/spec';
import { compose } from '../compose.js';
import { sectionOf, sizeOf, textSection } from '../part-sizes.js';
import { imageSection, requireImageToken, requireProcessor } from '../processor-files.js';
import { canonicalName, requireLlavaTokens, storedTower, tiedHead, visionTower } from './llava-parts.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';
import { readBackbone } from '../text.js';

/** What tells the two apart where a `config.json` leaves it out. */
const kinds = {
  llava_next: {
    paper: 'https://llava-vl.github.io/blog/2024-01-30-llava-next/',
    classes: { classes: ['LlavaNextImageProcessor'], processors: ['LlavaNextProcessor'] },
    defaults: {
      tower: 'clip_vision_model',
      layer: -2,
      strategy: 'default',
      text: 'llama',
      imageTokenId: 32000,
    },
    pinpoints: [
      [336, 672],
      [672, 336],
      [672, 672],
      [1008, 336],
      [336, 1008],
    ],
  },
  llava_onevision: {
    paper: 'https://arxiv.org/abs/2408.03326',
    classes: { classes: ['LlavaOnevisionImageProcessor'], processors: ['LlavaOnevisionProcessor'] },
    defaults: {
      tower: 'siglip_vision_model',
      layer: -1,
      strategy: 'full',
      text: 'qwen2',
      imageTokenId: 151646,
    },
    pinpoints: [1, 2, 3, 4, 5, 6].flatMap((rows) =>
      [1, 2, 3, 4, 5, 6].map((columns) => [384 * rows, 384 * columns] as const),
    ),
  },
} as const;

/**
 * LLaVA-NeXT (Liu et al. 2024) and LLaVA-OneVision (Li et al. 2024): a picture of any resolution is seen as a whole and
 * in tiles, the tiles' features are put together again, without borders, a newline after each row.
 *
 *   image ──► whole + tiles ──► CLIP or SigLIP ──► MLP ──► rows and newlines ──┐
 *                                                                              ├─► Mistral or Qwen2 ──► text
 *   prompt ──────────────────────────────────────────────────► embeddings ─────┘
 */
async function readLlavaNext(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const read = configReader(config, 'config');
  const type = read.string('model_type') as keyof typeof kinds;
  const { paper, classes, defaults, pinpoints } = kinds[type];
  const section = imageSection(config, files, classes);
  const layer = read.raw('vision_feature_layer') ?? defaults.layer;
  const strategy = read.string('vision_feature_select_strategy', defaults.strategy);
  const encoder = await visionTower(
    { model_type: defaults.tower, ...read.section('vision_config') },
    Array.isArray(layer) ? (layer as number[]) : [Number(layer)],
    strategy,
    files,
  );
  if (encoder.id === 'encoder-clip' && strategy === 'full')
    throw new ConfigError({
      message:
        "config.json: vision_feature_select_strategy 'full' keeps CLIP's class token, which has no place among the tiles' rows.",
      hint: "Set it to 'default'.",
    });
  const { backbone, names } = await readBackbone(
    { model_type: defaults.text, ...read.section('text_config') },
    tiedHead(config),
    files,
  );
  const layout: AnyresConfig = {
    pinpoints: (read.raw('image_grid_pinpoints') ?? pinpoints) as AnyresConfig['pinpoints'],
    tileSize: encoder.pixels.tileSize!,
    mostTiles:
      type === 'llava_onevision' ? mostTiles(read.string('vision_aspect_ratio', 'anyres_max_9')) : null,
    wholeIfSeveral: type === 'llava_onevision',
  };
  requireSamePinpoints(section, layout);
  requireImageToken(files, '<image>');
  if (type === 'llava_next') requireLlavaTokens(files, encoder);
  else
    requireProcessor(files, [
      { key: 'num_image_tokens', model: encoder.grid![0] * encoder.grid![1] },
      { key: 'vision_feature_select_strategy', model: strategy },
      { key: 'vision_aspect_ratio', model: `anyres_max_${layout.mostTiles}`, usual: 'anyres_max_9' },
    ]);

  return compose({
    name: type.replaceAll('_', '-'),
    source: {
      paper,
      code: `https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/${type}/modeling_${type}.py`,
    },
    encoder,
    connector: mlpConnector({
      hiddenAct: readActivation(read, 'gelu', 'projector_hidden_act'),
      bias: read.boolean('multimodal_projector_bias', true),
    }),
    arranger: anyresArranger(layout),
    backbone,
    fusion: unifiedFusion(),
    imageTokenId: read.number(
      'image_token_index',
      Number(read.raw('image_token_id') ?? defaults.imageTokenId),
    ),
    processor: anyresTiles(readAnyresTiles(section)),
    paths: { encoder: 'vision_tower.vision_model', arranger: '' },
    checkpoint: { ...names, ...storedTower(encoder), rename: canonicalName },
    config,
  });
}

function mostTiles(aspect: string): number {
  const [, count] = /^anyres_max_(\d+)$/.exec(aspect) ?? [];
  if (count) return Number(count);
  throw new ConfigError({
    message: `config.json: vision_aspect_ratio is '${aspect}', expected anyres_max_ and a number of tiles.`,
  });
}

/** The processor cuts pictures, and the arranger puts them together, by one list. */
function requireSamePinpoints(section: Json, { pinpoints }: AnyresConfig): void {
  const listed = section['image_grid_pinpoints'];
  if (listed !== undefined && JSON.stringify(listed) !== JSON.stringify(pinpoints))
    throw new ConfigError({
      message: `image_grid_pinpoints of ${placeOf(section)} and config.json differ.`,
      hint: 'Both list heights and widths in pixels, in one order: the first of equals is taken.',
    });
}

/** LLaVA-NeXT on Mistral 7B, with LLaVA-1.5's tower and table. */
const mistral7b = async (): Promise<PresetFiles> => ({
  config: {
    model_type: 'llava_next',
    vision_config: await sectionOf('encoder', 'encoder-clip', 'large-patch14-336'),
    text_config: await textSection('backbone-llama', 'mistral-7b-v0.1', {
      ropeTheta: 1e6,
      slidingWindow: undefined,
      vocabSize: 32064,
    }),
    image_token_index: 32000,
    vision_feature_layer: -2,
    vision_feature_select_strategy: 'default',
    projector_hidden_act: 'gelu',
  },
  preprocessor: { size: { shortest_edge: 336 }, crop_size: { height: 336, width: 336 }, resample: 3 },
});

/** LLaVA-OneVision: SigLIP without its last layer and its pooling, and a Qwen2 whose table has two tokens more, in whole 64s. */
const onevision = (preset: string) => async (): Promise<PresetFiles> => {
  const { vocabSize } = await sizeOf<{ readonly vocabSize: number }>('backbone', 'backbone-qwen2', preset);
  return {
    config: {
      model_type: 'llava_onevision',
      vision_config: await sectionOf('encoder', 'encoder-siglip', 'so400m-patch14-384', {
        numHiddenLayers: 26,
        visionUseHead: false,
      }),
      text_config: await textSection('backbone-qwen2', preset, {
        vocabSize: Math.ceil((vocabSize + 2) / 64) * 64,
      }),
      image_token_index: 151646,
      vision_aspect_ratio: 'anyres_max_9',
    },
    preprocessor: {
      size: { height: 384, width: 384 },
      resample: 3,
      image_mean: [0.5, 0.5, 0.5],
      image_std: [0.5, 0.5, 0.5],
    },
  };
};

export const llavaNextRecipe: RecipeDefinition = {
  name: 'llava-next',
  types: ['llava_next', 'llava_onevision'],
  presets: {
    'llava-1.6-mistral-7b': mistral7b,
    'llava-onevision-0.5b': onevision('qwen2-0.5b'),
    'llava-onevision-7b': onevision('qwen2-7b'),
  },
  read: readLlavaNext,
};
