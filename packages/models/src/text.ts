import { ropeFrequencies, type RopeConfig } from '@weft/nn';
import type { Backbone, CheckpointNames, Json, Model, PartDefinition, UnusedReason } from '@weft/spec';
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
  return { backbone, names: textNames(backbone, part) };
}

/** The backbone of a text section alone. */
export const backboneOf = async (
  section: Json,
  changes: Json = {},
  sources: PartSources = {},
): Promise<Backbone> => (await readBackbone(section, changes, sources)).backbone;

/** Buffers of old checkpoints, and a head that repeats the token table. */
function unusedText(name: string, { config }: Backbone): UnusedReason | undefined {
  if (name.endsWith('rotary_emb.inv_freq'))
    return {
      reason: 'computed from the config',
      ...('rotaryDim' in config ? { values: () => ropeFrequencies(config as unknown as RopeConfig) } : {}),
    };
  if (config['tieWordEmbeddings'] && name.endsWith('lm_head.weight'))
    return { reason: 'tied to the token embeddings', isTokenTable: true };
  return undefined;
}

/** Numbers of positions, which old checkpoints hold beside a table of positions. */
export const unusedPositions = (name: string): UnusedReason | undefined =>
  name.endsWith('embeddings.position_ids')
    ? {
        reason: 'a constant',
        values: (shape) => Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
      }
    : undefined;

/**
 * How a text model's tensors are found, on its own or within a larger model.
 *
 * @param part the backbone's definition, if it may have experts
 */
export const textNames = (
  backbone: Backbone,
  { split, stored }: Pick<PartDefinition, 'split' | 'stored'> = {},
): CheckpointNames => ({
  ...(split ? { split } : {}),
  ...(stored ? { stored } : {}),
  unused: (name) => unusedPositions(name) ?? unusedText(name, backbone),
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
