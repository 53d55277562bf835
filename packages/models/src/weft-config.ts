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
  configReader,
  findPart,
  part,
  senseOf,
  type Backbone,
  type Connector,
  type ConnectorFactory,
  type Fusion,
  type ImageProcessor,
  type Json,
  type Model,
  type VisionEncoder,
} from '@weft/spec';
import { compose, type PartPaths } from './compose.js';
import { canvasTiles, readCanvasTiles } from './processors/canvas-tiles.js';
import { cornerTiles, readCornerTiles } from './processors/corner-tiles.js';
import { dynamicTiles, readDynamicTiles } from './processors/dynamic-tiles.js';
import { paddedTiles, readPaddedTiles } from './processors/padded-tiles.js';
import { packedPatches, readPackedPatches } from './processors/packed-patches.js';
import { patchRows, readPatchRows } from './processors/patch-rows.js';
import { readClipProcessor, readSiglipProcessor, singleTile } from './processors/single-tile.js';
import { readSplitTiles, splitTiles } from './processors/split-tiles.js';
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

/**
 * How pictures are prepared: CLIP's crop, SigLIP's square, the tiles of Idefics3, of InternVL and NVLM, of Llama 3.2
 * Vision, of MM1.5 or of Aria, Qwen2-VL's blocks or Pixtral's rows.
 */
export type ProcessorKind =
  | 'clip'
  | 'siglip'
  | 'split-tiles'
  | 'dynamic-tiles'
  | 'canvas-tiles'
  | 'corner-tiles'
  | 'padded-tiles'
  | 'packed-patches'
  | 'patch-rows';

/**
 * The kind of processor that a `preprocessor_config.json` was written for.
 *
 * @throws ConfigError if it does not say, or names one that Weft does not know
 */
export function processorKindOf(preprocessor: Json): ProcessorKind {
  const type = String(preprocessor['image_processor_type'] ?? '');
  if (/^(CLIP|Llava)Image/.test(type)) return 'clip';
  if (type.startsWith('SiglipImage')) return 'siglip';
  if (/^(Idefics3|SmolVLM)Image/.test(type)) return 'split-tiles';
  if (/^Qwen2(_5_)?VLImage/.test(type)) return 'packed-patches';
  if (type.startsWith('PixtralImage')) return 'patch-rows';
  if (type.startsWith('GotOcr2Image')) return 'dynamic-tiles';
  if (type.startsWith('MllamaImage')) return 'canvas-tiles';
  if (type.startsWith('AriaImage')) return 'corner-tiles';
  if (type.startsWith('MM15Image')) return 'padded-tiles';
  throw new ConfigError({
    message: `preprocessor_config.json: image_processor_type is ${JSON.stringify(preprocessor['image_processor_type'])}.`,
    hint: 'Known: CLIPImageProcessor, SiglipImageProcessor, Idefics3ImageProcessor, SmolVLMImageProcessor, Qwen2VLImageProcessor, PixtralImageProcessor, GotOcr2ImageProcessor, MllamaImageProcessor, AriaImageProcessor, MM15ImageProcessor.',
  });
}

/**
 * A processor of the kind for an encoder and a connector, set by a `preprocessor_config.json`; for `compose`.
 *
 * @throws ConfigError if the encoder has no fixed grid
 */
export function processorOf(
  kind: ProcessorKind,
  preprocessor: Json,
  { placeholder = '<image>' }: { readonly placeholder?: string } = {},
): (vision: { readonly encoder: VisionEncoder; readonly connector: Connector }) => ImageProcessor {
  return ({ encoder, connector }) => {
    const { grid, inputs, config } = encoder;
    if (kind === 'packed-patches') {
      const c = config as unknown as Qwen2VisionConfig;
      const sizes = {
        patchSize: c.patchSize,
        temporalPatchSize: c.temporalPatchSize,
        mergeSize: c.spatialMergeSize,
      };
      return packedPatches(readPackedPatches(preprocessor, sizes), { ...sizes, connector, placeholder });
    }
    if (kind === 'patch-rows') {
      const token = (name: string): string => String(preprocessor[name] ?? '');
      const tokens = {
        image: placeholder,
        rowBreak: token('image_break_token'),
        imageEnd: token('image_end_token'),
      };
      return patchRows(readPatchRows(preprocessor), {
        patchSize: Number(config['patchSize']),
        connector,
        tokens,
      });
    }
    if (kind === 'corner-tiles')
      return cornerTiles(readCornerTiles(preprocessor), {
        patchSize: Number(config['patchSize']),
        connector,
        placeholder,
      });
    if (!grid)
      throw new ConfigError({
        message: `The processor '${kind}' makes tiles of one size, but ${encoder.id} has no fixed grid.`,
        hint: 'Give the encoder an image size.',
      });
    const tokens = connector.countTokens(grid);
    if (kind === 'canvas-tiles') {
      const c = config as unknown as MllamaVisionConfig;
      const tiles = { tileSize: c.imageSize, maxTiles: c.maxNumTiles };
      return canvasTiles(readCanvasTiles(preprocessor, tiles), { tokensPerTile: tokens, placeholder });
    }
    if (kind === 'padded-tiles')
      return paddedTiles(readPaddedTiles(preprocessor, Number(inputs['pixel_values']!.shape[2])), {
        tokensPerTile: tokens,
        placeholder,
      });
    if (kind === 'dynamic-tiles') {
      const tileSize = Number(inputs['pixel_values']!.shape[2]);
      const tiles = { tileSize, minTiles: 1, maxTiles: 12, thumbnail: true };
      return dynamicTiles(readDynamicTiles(preprocessor, tiles), (count) => ({
        tokens: count * tokens,
        formula: `${count} tiles of ${tokens}`,
        prompt: placeholder.repeat(count * tokens),
      }));
    }
    if (kind === 'split-tiles') return splitTiles(readSplitTiles(preprocessor), { tokensPerTile: tokens });
    const read = kind === 'siglip' ? readSiglipProcessor : readClipProcessor;
    return singleTile(read(preprocessor), {
      tileSize: Number(inputs['pixel_values']!.shape[2]),
      grid,
      tokens,
      placeholder,
    });
  };
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
  const kind = configReader(read.section('processor', {}), 'processor').string('kind', 'none') as
    | ProcessorKind
    | 'none';
  const backbone = made('backbone', backbones);
  return compose({
    name: read.string('name', 'weft'),
    encoder: made('encoder', encoders),
    connector: made('connector', connectors),
    backbone,
    fusion: made('fusion', fusions),
    processor: processorOf(kind === 'none' ? processorKindOf(preprocessor) : kind, preprocessor, {
      placeholder,
    }),
    imageTokenId: read.number('image_token_id'),
    placeholder,
    paths: read.section('paths', {}) as Partial<PartPaths>,
    checkpoint: textNames(backbone),
    config,
  });
}

/** What else a `config.json` says of a composition. */
export interface ConfigFacts {
  readonly processor: ProcessorKind;
  /** Most tokens that the backbone was made for. */
  readonly maxPositionEmbeddings?: number | undefined;
}

/**
 * The `config.json` of a composition: that of `LlavaForConditionalGeneration` where it can express the model, so that
 * transformers loads it too, else one of `model_type: weft`.
 *
 * @throws ConfigError if the model has no vision
 */
export function configOf(model: Model, facts: ConfigFacts): Json {
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
    processor: { kind: facts.processor },
    image_token_id: sense.tokenId,
    placeholder: sense.placeholder,
    paths: model.module.paths,
    ...(maxPositionEmbeddings === undefined ? {} : { max_position_embeddings: maxPositionEmbeddings }),
  };
}

/** LLaVA's `config.json` for a composition, or `undefined` if LLaVA's class cannot express it. */
export function llavaConfigOf(
  model: Model,
  { processor, maxPositionEmbeddings }: ConfigFacts,
): Json | undefined {
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
  if (!fits || !tower || !text || connector.id !== 'connector-mlp' || processor !== tower.processor)
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

function towerConfig({
  id,
  config,
}: VisionEncoder): { section: Json; strategy: string; processor: ProcessorKind } | undefined {
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
      processor: 'clip',
    };
  if (id === 'encoder-siglip' && !c.postNorm && c.inputSize === c.imageSize)
    return {
      section: { model_type: 'siglip_vision_model', ...section, vision_use_head: c.visionUseHead },
      strategy: 'full',
      processor: 'siglip',
    };
  return undefined;
}
