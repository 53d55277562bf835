import { pixtralVisionPart, pixtralVisionPresets, readPixtralVisionConfig } from '@weft/encoder-pixtral';
import { ConfigError } from '@weft/errors';
import { readActivation } from '@weft/nn';
import { configReader, type Json, type Model } from '@weft/spec';
import { textSection } from '../part-sizes.js';
import { imageSection, requireProcessor } from '../processor-files.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';
import { readBackbone } from '../text.js';
import { llavaName, tiedHead } from './llava-parts.js';
import { composePixtral } from './pixtral-parts.js';

/** Pixtral as `LlavaForConditionalGeneration` holds it. */
async function readPorted(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const read = configReader(config, 'config');
  const layer = read.raw('vision_feature_layer') ?? -2;
  const strategy = read.string('vision_feature_select_strategy', 'default');
  if (strategy !== 'full')
    throw new ConfigError({
      message: `config.json: vision_feature_select_strategy '${strategy}' would drop a real patch: Pixtral has no class token.`,
      hint: "Set it to 'full'.",
    });
  const { backbone, names } = await readBackbone(read.section('text_config'), tiedHead(config), files);
  const vision = readPixtralVisionConfig(read.section('vision_config'));
  const section = imageSection(config, files, {
    classes: ['PixtralImageProcessor'],
    // The model type is LLaVA's.
    usual: 'LlavaImageProcessor',
    processors: ['PixtralProcessor'],
  });
  requireProcessor(files, [
    { key: 'patch_size', model: vision.patchSize, usual: 16 },
    { key: 'spatial_merge_size', model: 1, usual: 1 },
    { key: 'image_token', model: '[IMG]', usual: '[IMG]' },
  ]);
  return composePixtral({
    vision,
    visionOptions: { featureLayers: Array.isArray(layer) ? (layer as number[]) : [Number(layer)] },
    connector: {
      hiddenAct: readActivation(read, 'gelu', 'projector_hidden_act'),
      bias: read.boolean('multimodal_projector_bias', true),
    },
    backbone,
    imageTokenId: read.number('image_token_index', Number(read.raw('image_token_id') ?? 32000)),
    checkpoint: { ...names, rename: llavaName },
    config,
    preprocessor: { ...tokensOf(files), ...section },
  });
}

/** The tokens that end rows and pictures, which `processor_config.json` states. */
const tokensOf = ({ origin }: RecipeFiles): Json =>
  Object.fromEntries(
    ['image_break_token', 'image_end_token'].flatMap((key) => {
      const token = origin?.processor?.[key] ?? undefined;
      return token === undefined ? [] : [[key, token]];
    }),
  );

/** Pixtral: a tower for 1024 pixels, and a Mistral NeMo of longer waves. */
const pixtral12b = async (): Promise<PresetFiles> => ({
  config: {
    model_type: 'llava',
    vision_config: pixtralVisionPart.write!(pixtralVisionPresets['pixtral-12b'])!,
    text_config: await textSection('backbone-llama', 'mistral-nemo-12b', { ropeTheta: 1e9 }),
    image_token_index: 10,
    vision_feature_layer: -1,
    vision_feature_select_strategy: 'full',
    projector_hidden_act: 'gelu',
  },
  preprocessor: { size: { longest_edge: 1024 }, resample: 3 },
});

export const pixtralRecipe: RecipeDefinition = {
  name: 'pixtral',
  types: ['pixtral_native'],
  presets: { 'pixtral-12b': pixtral12b },
  read: async (config, files) =>
    config['model_type'] === 'pixtral_native'
      ? (await import('./pixtral-native.js')).readNative(config, files)
      : readPorted(config, files),
};
