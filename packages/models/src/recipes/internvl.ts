import { shuffleMlpConnector } from '@weft/connector-pixel-shuffle';
import {
  internVit,
  internVitPart,
  internVitPresets,
  readInternVitConfig,
  readOriginalInternVitConfig,
  type InternVitConfig,
} from '@weft/encoder-intern-vit';
import { ConfigError } from '@weft/errors';
import { unifiedFusion } from '@weft/fusion-unified';
import { dynamicTiles, placeOf, readDynamicTiles, type DynamicTilesConfig } from '@weft/processors';
import { readActivation, type ActivationName } from '@weft/nn';
import { configReader, part, type Json, type Model } from '@weft/spec';
import { compose, type Composition } from '../compose.js';
import { textSection } from '../part-sizes.js';
import { llavaName, tiedHead } from './llava-parts.js';
import { originalClasses, originalInternVlNames, originalInternVlPaths } from './original-internvl.js';
import { imageSection, requireProcessor } from '../processor-files.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';
import { readBackbone } from '../text.js';

/** What stands around a picture's placeholder tokens. */
const text = { frame: ['<img>', '</img>'], tag: '', lastTag: '' } as const;

/**
 * InternVL 2.5 and 3 (Chen et al. 2024): InternViT sees tiles and the whole, pixel shuffle joins neighbouring patches, an
 * MLP translates, a Qwen2 or an InternLM2, which is a Llama in transformers' files, answers.
 *
 *   image ──► tiles + thumbnail ──► InternViT ──► pixel shuffle, MLP ──┐
 *                                                                      ├─► Qwen2 ──► text
 *   prompt ───────────────────────────────────────────────► embeddings ┘
 */
async function readPorted(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const read = configReader(config, 'config');
  const strategy = read.string('vision_feature_select_strategy', 'default');
  if (strategy !== 'default')
    throw new ConfigError({
      message: `config.json: vision_feature_select_strategy is '${strategy}', expected 'default'.`,
      hint: 'With the class token the features are no grid that pixel shuffle could join.',
    });
  const vision = readInternVitConfig(read.section('vision_config', {}));
  const { backbone, names } = await readBackbone(
    { model_type: 'qwen2', ...read.section('text_config', {}) },
    tiedHead(config),
    files,
  );
  const { use_thumbnail: thumbnail, ...section } = imageSection(config, files, {
    classes: ['GotOcr2ImageProcessor'],
    processors: ['InternVLProcessor'],
  });
  if (thumbnail === false)
    files.notice?.({
      where: `${placeOf(section)}: use_thumbnail`,
      message: 'Its class always adds the view of the whole.',
    });
  const model = composeInternVl({
    name: 'internvl',
    vision,
    featureLayer: read.number('vision_feature_layer', -1),
    downsampleRatio: read.number('downsample_ratio', 0.5),
    hiddenAct: readActivation(read, 'gelu', 'projector_hidden_act'),
    backbone,
    tiles: readDynamicTiles(section, { text }),
    imageTokenId: read.number('image_token_id', 151667),
    checkpoint: { ...names, rename: llavaName },
    config,
  });
  const grid = part(model, 'encoder').grid!;
  requireProcessor(files, [
    { key: 'image_seq_length', model: part(model, 'connector').countTokens(grid), usual: 256 },
  ]);
  return model;
}

/**
 * The layout of the original repositories, `internvl_chat`. The id of `<IMG_CONTEXT>` stands in no file but the
 * tokenizer's: it is the third of nine tokens that were added to the vocabulary.
 */
async function readOriginal(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const read = configReader(config, 'config');
  const section = read.section('llm_config');
  const [architecture] = (section['architectures'] ?? []) as string[];
  if (architecture === 'InternLM2ForCausalLM' || section['model_type'] === 'internlm2')
    throw new ConfigError({
      message:
        'config.json: the original layout of InternLM2 keeps queries, keys and values in one tensor by groups.',
      hint: 'Take the checkpoint in the layout of transformers, whose name ends with -hf.',
    });
  if (read.string('ps_version', 'v2') !== 'v2')
    throw new ConfigError({
      message: `config.json: ps_version is '${read.string('ps_version')}', expected 'v2'.`,
      hint: 'Published checkpoints from InternVL 1.5 on have it.',
    });
  const vision = readOriginalInternVitConfig({
    image_size: read.number('force_image_size', 448),
    ...read.section('vision_config'),
  });
  const { backbone, names } = await readBackbone({ model_type: 'qwen2', ...section }, {}, files);
  const isCut = read.boolean('dynamic_image_size', true);
  return composeInternVl({
    name: 'internvl-chat',
    vision,
    featureLayer: read.number('select_layer', -1),
    downsampleRatio: read.number('downsample_ratio', 0.5),
    backbone,
    tiles: readDynamicTiles(imageSection(config, files, originalClasses), {
      minTiles: isCut ? read.number('min_dynamic_patch', 1) : 1,
      maxTiles: isCut ? read.number('max_dynamic_patch', 12) : 1,
      thumbnail: read.boolean('use_thumbnail', true),
      text,
    }),
    imageTokenId: read.number('image_token_id', backbone.shape.vocabSize - 7),
    paths: originalInternVlPaths,
    checkpoint: originalInternVlNames(names),
    config,
  });
}

interface InternVl extends Pick<
  Composition,
  'name' | 'backbone' | 'imageTokenId' | 'paths' | 'checkpoint' | 'config'
> {
  readonly vision: InternVitConfig;
  readonly featureLayer: number;
  readonly downsampleRatio: number;
  readonly hiddenAct?: ActivationName;
  readonly tiles: DynamicTilesConfig;
}

const composeInternVl = ({
  vision,
  featureLayer,
  downsampleRatio,
  hiddenAct = 'gelu',
  tiles,
  ...given
}: InternVl): Model =>
  compose({
    ...given,
    source: {
      paper: 'https://arxiv.org/abs/2412.05271',
      code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/internvl/modeling_internvl.py',
    },
    encoder: internVit(vision, { featureLayers: [featureLayer] }),
    connector: shuffleMlpConnector({ scaleFactor: Math.round(1 / downsampleRatio), hiddenAct }),
    fusion: unifiedFusion(),
    placeholder: '<IMG_CONTEXT>',
    processor: dynamicTiles(tiles),
  });

/** InternVL 2.5 and 3: nine tokens more than the language model has of its own. */
const internvl =
  (tower: keyof typeof internVitPresets, language: () => Promise<Json>) => async (): Promise<PresetFiles> => {
    const c = internVitPresets[tower];
    const section = await language();
    return {
      config: {
        model_type: 'internvl',
        vision_config: internVitPart.write!(c)!,
        text_config: section,
        tie_word_embeddings: false,
        image_token_id: Number(section['vocab_size']) - 7,
      },
      preprocessor: {
        image_processor_type: 'GotOcr2ImageProcessor',
        size: { height: c.imageSize, width: c.imageSize },
        max_patches: 12,
        image_mean: [0.485, 0.456, 0.406],
        image_std: [0.229, 0.224, 0.225],
      },
    };
  };

/** A Qwen2.5 of InternVL, whose table has no rows to spare. */
const qwen =
  (preset: string, changes: object = {}) =>
  async (): Promise<Json> => ({
    ...(await textSection('backbone-qwen2', preset, changes)),
    vocab_size: 151674,
    tie_word_embeddings: false,
  });

/** Qwen2.5-32B: the heads of 72B's kind, in 40 of width 128. */
const qwen32b = {
  hiddenSize: 5120,
  intermediateSize: 27648,
  numHiddenLayers: 64,
  numAttentionHeads: 40,
} as const;

/** InternLM2.5-7B, which is a Llama in the layout of transformers. */
const internlm7b = (): Promise<Json> =>
  textSection('backbone-llama', 'mistral-7b-v0.1', {
    slidingWindow: undefined,
    vocabSize: 92553,
    ropeTheta: 1e6,
  });

export const internvlRecipe: RecipeDefinition = {
  name: 'internvl',
  types: ['internvl', 'internvl_chat'],
  presets: {
    'internvl2.5-1b': internvl('internvit-300m', qwen('qwen2-0.5b')),
    'internvl2.5-4b': internvl('internvit-300m', qwen('qwen2.5-3b')),
    'internvl2.5-8b': internvl('internvit-300m', internlm7b),
    'internvl2.5-38b': internvl('internvit-6b', qwen('qwen2-72b', qwen32b)),
    'internvl3-8b': internvl('internvit-300m', qwen('qwen2-7b')),
  },
  read: (config, files) =>
    (config['model_type'] === 'internvl_chat' ? readOriginal : readPorted)(config, files),
};
