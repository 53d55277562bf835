import { singleTilePart, type SingleTileConfig } from '@weft/processors';
import {
  findPart,
  senseOf,
  type ImageProcessor,
  type Json,
  type Model,
  type VisionEncoder,
} from '@weft/spec';
import { findDefinition, isKnownPart, isOfCatalog, type PartSources } from './parts.js';

/** Towers that LLaVA's class takes. */
const towers: readonly string[] = ['clip_vision_model', 'siglip_vision_model'];

/** Text classes that it takes: its head has no bias, so Phi is not among them, and Aria's experts are no tensors of it. */
const texts: readonly string[] = ['llama', 'mistral', 'qwen2', 'olmo', 'olmo2', 'olmoe', 'persimmon', 'phi3'];

/**
 * LLaVA's `config.json` for a composition, or `undefined` if LLaVA's class cannot express it.
 *
 * @throws ConfigError if a part is not installed
 */
export async function llavaConfigOf(
  model: Model,
  {
    maxPositionEmbeddings,
    ...sources
  }: PartSources & { readonly maxPositionEmbeddings?: number | undefined } = {},
): Promise<Json | undefined> {
  const { fusion, module } = model;
  const sense = senseOf(model, 'image');
  const [encoder, connector, backbone] = [
    findPart(model, 'encoder'),
    findPart(model, 'connector'),
    findPart(model, 'backbone'),
  ];
  if (!sense || !encoder || !connector || !backbone) return undefined;
  const isPlain =
    fusion.id === 'fusion-unified' &&
    fusion.config['mode'] === 'replace' &&
    connector.id === 'connector-mlp' &&
    // No class of text models keeps embeddings that its head does not predict.
    !backbone.shape.extraTokens &&
    !model.positions &&
    !findPart(model, 'arranger') &&
    Object.keys(model.prompt).length === 0 &&
    model.senses.length === 1 &&
    sense.placeholder === '<image>' &&
    [encoder, connector, backbone].every((one) => Object.keys(one.paths).length === 0) &&
    // LLaVA's class names no packages, so that another one's part would be read back as the catalog's of its name.
    [encoder, connector, backbone, fusion, sense.processor].every(isOfCatalog) &&
    isKnownPart('encoder', encoder.id, sources) &&
    isKnownPart('backbone', backbone.id, sources);
  const { paths } = module;
  const isNamed =
    /^vision_tower(\.vision_model)?$/.test(paths['encoder'] ?? '') &&
    paths['connector'] === 'multi_modal_projector' &&
    paths['backbone'] === 'language_model';
  if (!isPlain || !isNamed) return undefined;
  const tower = await towerConfig(encoder, sources);
  const text = (await findDefinition('backbone', backbone.id, sources)).write?.(backbone.config);
  if (!tower || !text || !texts.includes(String(text['model_type']))) return undefined;
  if (!isReadByItsClass(sense.processor)) return undefined;
  const layers = encoder.config['featureLayers'] as readonly number[];
  return {
    model_type: 'llava',
    architectures: ['LlavaForConditionalGeneration'],
    vision_config: tower.section,
    text_config:
      maxPositionEmbeddings === undefined
        ? text
        : { ...text, max_position_embeddings: maxPositionEmbeddings },
    image_token_index: sense.tokenId,
    image_seq_length: connector.countTokens(encoder.grid!),
    vision_feature_layer: layers.length === 1 ? layers[0] : layers,
    vision_feature_select_strategy: tower.strategy,
    projector_hidden_act: connector.config['hiddenAct'],
    multimodal_projector_bias: connector.config['bias'],
    tie_word_embeddings: backbone.config['tieWordEmbeddings'],
  };
}

/** The section of the tower itself; which layers and patches are read stands beside it. */
async function towerConfig(
  { id, config }: VisionEncoder,
  sources: PartSources,
): Promise<{ section: Json; strategy: string } | undefined> {
  const { write } = await findDefinition('encoder', id, sources);
  const section = write?.({ ...config, featureLayers: [-1], classToken: 'drop' });
  if (!section || !towers.includes(String(section['model_type']))) return undefined;
  const isSiglip = section['model_type'] === 'siglip_vision_model';
  const strategy = isSiglip || config['classToken'] === 'keep' ? 'full' : 'default';
  return { section, strategy };
}

/** Whether LLaVA's class makes this processor of the file written for it, of which it does not know Weft's own fields. */
function isReadByItsClass({ id, config }: ImageProcessor): boolean {
  if (id !== singleTilePart.id) return false;
  const written = singleTilePart.write!(config as unknown as SingleTileConfig);
  if (!written || /^(Janus|VLM)/.test(String(written['image_processor_type']))) return false;
  const { text: _text, square_fill: _colour, border_fill: _border, ...known } = written;
  return sameData(singleTilePart.read!(known), config);
}

/** Whether two values are the same JSON, whatever the order of their fields. */
const sameData = (a: unknown, b: unknown): boolean => sorted(a) === sorted(b);

const sorted = (value: unknown): string =>
  JSON.stringify(value, (_, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  );
