import { aria, type AriaConfig } from '@weft/backbone-aria';
import { llama, llamaSection, type LlamaConfig } from '@weft/backbone-llama';
import { olmo, olmoSection, type OlmoConfig } from '@weft/backbone-olmo';
import { persimmon, persimmonSection, type PersimmonConfig } from '@weft/backbone-persimmon';
import { phi, phi3, phi3Section, type Phi3Config, type PhiConfig } from '@weft/backbone-phi';
import { qwen2, qwen2Section, type Qwen2Config } from '@weft/backbone-qwen2';
import { attentionPoolConnector } from '@weft/connector-attention-pool';
import { cAbstractorConnector } from '@weft/connector-c-abstractor';
import { convPoolConnector } from '@weft/connector-conv-pool';
import { linearConnector } from '@weft/connector-linear';
import { mlpConnector } from '@weft/connector-mlp';
import { patchMergerConnector } from '@weft/connector-patch-merger';
import { pixelShuffleConnector, shuffleMlpConnector } from '@weft/connector-pixel-shuffle';
import { queryPoolConnector, resamplerConnector } from '@weft/connector-resampler';
import { clip, type ClipConfig, type ClipOptions } from '@weft/encoder-clip';
import { internVit, type InternVitConfig, type InternVitOptions } from '@weft/encoder-intern-vit';
import { mllamaVision, type MllamaVisionConfig, type MllamaVisionOptions } from '@weft/encoder-mllama';
import { rawPatches, type PatchEncoderConfig } from '@weft/encoder-patch';
import { pixtralVision, type PixtralVisionConfig, type PixtralVisionOptions } from '@weft/encoder-pixtral';
import { qwen2Vision, type Qwen2VisionConfig } from '@weft/encoder-qwen2-vl';
import {
  anyShapeSiglip,
  siglip,
  type AnyShapeSiglipConfig,
  type AnyShapeSiglipOptions,
  type SiglipConfig,
  type SiglipOptions,
} from '@weft/encoder-siglip';
import { ConfigError } from '@weft/errors';
import { crossAttention } from '@weft/fusion-cross-attention';
import { hybrid } from '@weft/fusion-hybrid';
import { unifiedFusion } from '@weft/fusion-unified';
import {
  anyresTilesPart,
  canvasTilesPart,
  cornerTilesPart,
  dynamicTilesPart,
  overlapCropsPart,
  packedPatchesPart,
  paddedTilesPart,
  patchCutsPart,
  patchRowsPart,
  readClipProcessor,
  readSiglipProcessor,
  singleTilePart,
  splitTilesPart,
  type SingleTileConfig,
} from '@weft/processors';
import {
  configReader,
  findPart,
  part,
  senseOf,
  type Backbone,
  type ConnectorFactory,
  type Fusion,
  type ImageProcessor,
  type Json,
  type Model,
  type PartDefinition,
  type ProcessorFactory,
  type VisionEncoder,
} from '@weft/spec';
import { compose, type PartPaths } from './compose.js';
import type { RecipeFiles } from './recipes.js';
import { textNames } from './text.js';

type Config = never;

/** Factories of the parts by their `id`. Each takes what the part states as its `config`. */
const encoders: Readonly<Record<string, (config: Config) => VisionEncoder>> = {
  'encoder-clip': (config: ClipConfig & ClipOptions) => clip(config, config),
  'encoder-intern-vit': (config: InternVitConfig & InternVitOptions) => internVit(config, config),
  'encoder-mllama': (config: MllamaVisionConfig & MllamaVisionOptions) => mllamaVision(config, config),
  'encoder-siglip': (config: SiglipConfig & SiglipOptions) => siglip(config, config),
  'encoder-siglip-any-shape': (config: AnyShapeSiglipConfig & AnyShapeSiglipOptions) =>
    anyShapeSiglip(config, config),
  'encoder-patch': (config: PatchEncoderConfig) => rawPatches(config),
  'encoder-pixtral': (config: PixtralVisionConfig & PixtralVisionOptions) => pixtralVision(config, config),
  'encoder-qwen2-vl': (config: Qwen2VisionConfig) => qwen2Vision(config),
};
const connectors: Readonly<Record<string, (config: Config) => ConnectorFactory>> = {
  'connector-attention-pool': attentionPoolConnector,
  'connector-c-abstractor': cAbstractorConnector,
  'connector-conv-pool': convPoolConnector,
  'connector-linear': linearConnector,
  'connector-mlp': mlpConnector,
  'connector-patch-merger': patchMergerConnector,
  'connector-pixel-shuffle': pixelShuffleConnector,
  'connector-query-pool': queryPoolConnector,
  'connector-resampler': resamplerConnector,
  'connector-shuffle-mlp': shuffleMlpConnector,
};
const backbones: Readonly<Record<string, (config: Config) => Backbone>> = {
  'backbone-aria': (config: AriaConfig) => aria(config),
  'backbone-llama': (config: LlamaConfig) => llama(config),
  'backbone-qwen2': (config: Qwen2Config) => qwen2(config),
  'backbone-olmo': (config: OlmoConfig) => olmo(config),
  'backbone-persimmon': (config: PersimmonConfig) => persimmon(config),
  'backbone-phi': (config: PhiConfig) => phi(config),
  'backbone-phi3': (config: Phi3Config) => phi3(config),
};
/** Text sections that LLaVA's class takes; its head has no bias, so Phi is not among them. */
const textSections: Readonly<Record<string, (config: Config) => Json | undefined>> = {
  'backbone-llama': llamaSection,
  'backbone-qwen2': qwen2Section,
  'backbone-olmo': olmoSection,
  'backbone-persimmon': persimmonSection,
  'backbone-phi3': phi3Section,
};
const fusions: Readonly<Record<string, (config: Config) => Fusion>> = {
  'fusion-cross-attention': crossAttention,
  'fusion-hybrid': hybrid,
  'fusion-unified': unifiedFusion,
};

const processorParts = [
  anyresTilesPart,
  canvasTilesPart,
  cornerTilesPart,
  dynamicTilesPart,
  overlapCropsPart,
  packedPatchesPart,
  paddedTilesPart,
  patchCutsPart,
  patchRowsPart,
  singleTilePart,
  splitTilesPart,
] as unknown as readonly PartDefinition<'processor', Json>[];
const processors = Object.fromEntries(
  processorParts.map(({ id, create }) => [
    id,
    create as (config: Config) => ProcessorFactory<ImageProcessor>,
  ]),
);

/**
 * The processor of pictures that a `preprocessor_config.json` was written for, for `compose`.
 *
 * @throws ConfigError if the file does not say, or names one that Weft does not know
 */
export function readProcessor(preprocessor: Json): ProcessorFactory<ImageProcessor> {
  const type = String(preprocessor['image_processor_type'] ?? '').replace(/(Fast|Pil)$/, '');
  const part = processorParts.find(({ types = [] }) => types.includes(type));
  if (!part)
    throw new ConfigError({
      message: `preprocessor_config.json: image_processor_type is ${JSON.stringify(preprocessor['image_processor_type'])}.`,
      hint: `Known: ${processorParts.flatMap(({ types = [] }) => types).join(', ')}.`,
    });
  return part.create(part.read!(preprocessor)) as ProcessorFactory<ImageProcessor>;
}

/** The recipe of `model_type: weft`: any composition, described by its parts' ids and configurations. */
export function weftRecipe(config: Json, { preprocessor = {} }: RecipeFiles = {}): Model {
  const read = configReader(config, 'config');
  const made = <T>(name: string, factories: Readonly<Record<string, (config: Config) => T>>): T => {
    const section = configReader(read.section(name), name);
    const id = section.string('id');
    const factory = Object.hasOwn(factories, id) ? factories[id] : undefined;
    if (!factory)
      throw new ConfigError({
        message: `config.json: there is no ${name} '${id}'.`,
        hint: `Known: ${Object.keys(factories).join(', ')}.`,
      });
    return factory(section.section('config', {}) as Config);
  };
  const placeholder = read.string('placeholder', '<image>');
  const backbone = made('backbone', backbones);
  return compose({
    name: read.string('name', 'weft'),
    encoder: made('encoder', encoders),
    connector: made('connector', connectors),
    backbone,
    fusion: made('fusion', fusions),
    processor:
      config['processor'] === undefined ? readProcessor(preprocessor) : made('processor', processors),
    imageTokenId: read.number('image_token_id'),
    placeholder,
    paths: read.section('paths', {}) as Partial<PartPaths>,
    checkpoint: textNames(backbone),
    config,
  });
}

/** What else a `config.json` says of a composition. */
export interface ConfigFacts {
  /** Most tokens that the backbone was made for. */
  readonly maxPositionEmbeddings?: number | undefined;
}

/**
 * The `config.json` of a composition: that of `LlavaForConditionalGeneration` where it can express the model, so that
 * transformers loads it too, else one of `model_type: weft`.
 *
 * @throws ConfigError if the model has no vision
 */
export function configOf(model: Model, facts: ConfigFacts = {}): Json {
  const { fusion } = model;
  const sense = senseOf(model, 'image');
  if (!sense)
    throw new ConfigError({
      message: `${model.name} has no vision encoder.`,
      hint: 'Save it with the config.json of its text model.',
    });
  if (model.positions)
    throw new ConfigError({
      message: `${model.name} has a rule for the positions of its tokens, which a composition's config.json cannot state.`,
      hint: 'Compose it without the rule, or save it with the config.json of the recipe that made it.',
    });
  const arranger = findPart(model, 'arranger');
  if (arranger)
    throw new ConfigError({
      message: `${model.name} has an arranger, ${arranger.id}, which a composition's config.json cannot state.`,
      hint: 'Compose it without the arranger, or save it with the config.json of the recipe that made it.',
    });
  const llava = llavaConfigOf(model, facts);
  if (llava) return llava;
  const describe = ({ id, config }: { readonly id: string; readonly config: Json }): Json => ({ id, config });
  const { maxPositionEmbeddings } = facts;
  return {
    model_type: 'weft',
    name: model.name,
    encoder: describe(part(model, 'encoder')),
    connector: describe(part(model, 'connector')),
    backbone: describe(part(model, 'backbone')),
    fusion: describe(fusion),
    processor: describe(sense.processor),
    image_token_id: sense.tokenId,
    placeholder: sense.placeholder,
    paths: model.module.paths,
    ...(maxPositionEmbeddings === undefined ? {} : { max_position_embeddings: maxPositionEmbeddings }),
  };
}

/** LLaVA's `config.json` for a composition, or `undefined` if LLaVA's class cannot express it. */
export function llavaConfigOf(model: Model, { maxPositionEmbeddings }: ConfigFacts = {}): Json | undefined {
  const { fusion } = model;
  const sense = senseOf(model, 'image');
  if (!sense || fusion.id !== 'fusion-unified' || fusion.config['mode'] !== 'replace') return undefined;
  const { placeholder, tokenId } = sense;
  const [encoder, connector, backbone] = [
    part(model, 'encoder'),
    part(model, 'connector'),
    part(model, 'backbone'),
  ];
  const { paths } = model.module;
  const named =
    /^vision_tower(\.vision_model)?$/.test(paths['encoder'] ?? '') &&
    paths['connector'] === 'multi_modal_projector';
  const tower = towerConfig(encoder);
  const text = textSections[backbone.id]?.(backbone.config as Config);
  const fits = named && paths['backbone'] === 'language_model' && placeholder === '<image>';
  // No class of text models keeps embeddings that its head does not predict.
  if (backbone.shape.extraTokens) return undefined;
  if (!fits || !tower || !text || connector.id !== 'connector-mlp' || !isReadBy(tower.read, sense.processor))
    return undefined;
  const layers = encoder.config['featureLayers'] as readonly number[];
  return {
    model_type: 'llava',
    architectures: ['LlavaForConditionalGeneration'],
    vision_config: tower.section,
    text_config:
      maxPositionEmbeddings === undefined
        ? text
        : { ...text, max_position_embeddings: maxPositionEmbeddings },
    image_token_index: tokenId,
    image_seq_length: connector.countTokens(encoder.grid!),
    vision_feature_layer: layers.length === 1 ? layers[0] : layers,
    vision_feature_select_strategy: tower.strategy,
    projector_hidden_act: connector.config['hiddenAct'],
    multimodal_projector_bias: connector.config['bias'],
    tie_word_embeddings: backbone.config['tieWordEmbeddings'],
  };
}

/** Whether the recipe makes the same processor of the file that is written for this one. */
function isReadBy(read: (preprocessor: Json) => SingleTileConfig, { id, config }: ImageProcessor): boolean {
  if (id !== singleTilePart.id) return false;
  const written = singleTilePart.write!(config as unknown as SingleTileConfig);
  return written !== undefined && sameData(read(written), config);
}

/** Whether two values are the same JSON, whatever the order of their fields. */
const sameData = (a: unknown, b: unknown): boolean => sorted(a) === sorted(b);

const sorted = (value: unknown): string =>
  JSON.stringify(value, (_, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  );

function towerConfig({
  id,
  config,
}: VisionEncoder):
  | { section: Json; strategy: string; read: (preprocessor: Json) => SingleTileConfig }
  | undefined {
  const c = config as unknown as SiglipConfig & SiglipOptions & ClipOptions;
  const section = {
    hidden_size: c.hiddenSize,
    intermediate_size: c.intermediateSize,
    num_hidden_layers: c.numHiddenLayers,
    num_attention_heads: c.numAttentionHeads,
    num_channels: c.numChannels,
    image_size: c.imageSize,
    patch_size: c.patchSize,
    hidden_act: c.hiddenAct,
    layer_norm_eps: c.layerNormEps,
  };
  if (id === 'encoder-clip' && c.postNorm && c.patchWeight === 'convolution')
    return {
      section: { model_type: 'clip_vision_model', ...section },
      strategy: c.classToken === 'keep' ? 'full' : 'default',
      read: readClipProcessor,
    };
  if (id === 'encoder-siglip' && !c.postNorm && c.inputSize === c.imageSize)
    return {
      section: { model_type: 'siglip_vision_model', ...section, vision_use_head: c.visionUseHead },
      strategy: 'full',
      read: readSiglipProcessor,
    };
  return undefined;
}
