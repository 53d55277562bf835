import type { Backbone, CheckpointNames, Json, Model } from '@weft/spec';
import { textModel } from './compose.js';
import { findDefinition, type PartSources } from './parts.js';

/** A backbone of published files, and how their tensors are found. */
export interface PublishedBackbone {
  readonly backbone: Backbone;
  readonly names: CheckpointNames;
}

/**
 * The backbone of a text section, with the names of its tensors.
 *
 * @param changes fields that another section states
 * @throws ConfigError that lists the families if the model type is unknown, or if the family's package is not installed
 */
export async function readBackbone(
  section: Json,
  changes: Json = {},
  sources: PartSources = {},
): Promise<PublishedBackbone> {
  const type = String(section['model_type'] ?? 'llama');
  const part = await findDefinition('backbone', type, sources);
  const backbone = part.create(part.read!({ ...section, ...changes }, sources.notice));
  return { backbone, names: textNames(backbone, part.split) };
}

/** The backbone of a text section alone. */
export const backboneOf = async (
  section: Json,
  changes: Json = {},
  sources: PartSources = {},
): Promise<Backbone> => (await readBackbone(section, changes, sources)).backbone;

/** Buffers of old checkpoints, and a head that repeats the token table. */
function unusedText(name: string, tied: boolean): string | undefined {
  if (name.endsWith('rotary_emb.inv_freq')) return 'computed from the config';
  if (tied && name.endsWith('lm_head.weight')) return 'tied to the token embeddings';
  return undefined;
}

/**
 * How a text model's tensors are found, on its own or within a larger model.
 *
 * @param split that of the backbone's definition, if it may have experts
 */
export const textNames = (backbone: Backbone, split?: CheckpointNames['split']): CheckpointNames => ({
  ...(split ? { split } : {}),
  unused: (name) => unusedText(name, Boolean(backbone.config['tieWordEmbeddings'])),
});

/** A text model on its own, from its `config.json`. */
export async function textRecipe(config: Json, sources: PartSources = {}): Promise<Model> {
  const { backbone, names } = await readBackbone(config, {}, sources);
  const { create } = await findDefinition('fusion', 'fusion-unified', sources);
  return textModel({
    name: String(config['model_type']),
    backbone,
    fusion: create({}),
    config,
    checkpoint: names,
  });
}
