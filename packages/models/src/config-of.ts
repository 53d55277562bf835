import { findPart, part, senseOf, type Component, type Json, type Model } from '@weft/spec';
import { llavaConfigOf } from './llava-config.js';
import type { PartSources } from './parts.js';

/** What a `config.json` says of a composition beside its parts. */
export interface ConfigFacts extends PartSources {
  /** Most tokens that the backbone was made for. */
  readonly maxPositionEmbeddings?: number | undefined;
}

/**
 * The `config.json` of a composition: that of `LlavaForConditionalGeneration` where it can express the model, so that
 * transformers loads it too, else one of `model_type: weft`, which can express all.
 *
 * @throws ConfigError if a part is not installed
 */
export const configOf = async (model: Model, facts: ConfigFacts = {}): Promise<Json> =>
  (await llavaConfigOf(model, facts)) ?? weftConfigOf(model, facts);

/**
 * The `config.json` of `model_type: weft` for any composition: what each part is called, and what its factory was told.
 * Tensors lie under the model's own paths.
 */
export function weftConfigOf(model: Model, { maxPositionEmbeddings }: ConfigFacts = {}): Json {
  const [image, video] = [senseOf(model, 'image'), senseOf(model, 'video')];
  const arranger = findPart(model, 'arranger');
  const { positions, prompt, fusion, module, source } = model;
  return {
    model_type: 'weft',
    name: model.name,
    source,
    ...(image
      ? {
          encoder: describeModule(part(model, 'encoder')),
          connector: describeModule(part(model, 'connector')),
          ...(arranger ? { arranger: describeModule(arranger) } : {}),
        }
      : {}),
    backbone: describeModule(part(model, 'backbone')),
    fusion: describe(fusion),
    ...(positions ? { positions: describe(positions) } : {}),
    ...(image
      ? {
          processor: describe(image.processor),
          image_token_id: image.tokenId,
          placeholder: image.placeholder,
          ...(image.cross ? { cross: image.cross.config } : {}),
        }
      : {}),
    ...(video
      ? {
          video: {
            processor: describe(video.processor),
            token_id: video.tokenId,
            placeholder: video.placeholder,
          },
        }
      : {}),
    ...(Object.keys(prompt).length > 0 ? { prompt } : {}),
    paths: module.paths,
    ...(maxPositionEmbeddings === undefined ? {} : { max_position_embeddings: maxPositionEmbeddings }),
  };
}

interface Described {
  readonly id: string;
  readonly config: Json;
  readonly package?: string | undefined;
}

const describe = ({ id, config, package: home }: Described): Json => ({
  id,
  config,
  ...(home === undefined ? {} : { package: home }),
});

/** Paths inside of a part are not in its configuration: recipes rename parts as their checkpoints do. */
const describeModule = (module: Component): Json => ({
  ...describe(module),
  ...(Object.keys(module.paths).length > 0 ? { paths: module.paths } : {}),
});
