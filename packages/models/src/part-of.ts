import { ConfigError } from '@weft/errors';
import { findPart, type CheckpointNames, type Component, type Json } from '@weft/spec';
import { findDefinition, isKnownType } from './parts.js';
import type { RecipeFiles } from './recipe.js';
import { modelOf } from './recipes.js';

/** The parts of a composed model. */
export type PartName = 'encoder' | 'connector' | 'backbone';

/** A part within a checkpoint: what it is, and where its tensors are. */
export interface PartInCheckpoint {
  readonly part: Component;
  /** Path of the part in the checkpoint. */
  readonly path: string;
  /** Parameter path of a tensor's name in the file. */
  readonly rename: (name: string) => string;
  /** Pieces of a tensor of the file that are tensors of their own in the model. */
  readonly split: NonNullable<CheckpointNames['split']>;
}

const whole = (): undefined => undefined;

/**
 * A part of the checkpoint that a `config.json` describes: of a model that a recipe knows, or a vision tower on its own or
 * beside a text tower, as CLIP's and SigLIP's files have it.
 *
 * @throws ConfigError if the checkpoint has no such part
 */
export async function partOf(
  config: Json,
  part: PartName,
  files: RecipeFiles = {},
): Promise<PartInCheckpoint> {
  const type = String(config['model_type'] ?? '');
  const isTower = isKnownType('encoder', type, files);
  if (isTower && part === 'encoder') {
    const both = 'vision_config' in config;
    const { create, read, split = whole } = await findDefinition('encoder', type, files);
    if (!read)
      throw new ConfigError({
        message: `The encoder '${type}' reads no published files.`,
        where: 'config.json',
        hint: 'Compose it of its configuration.',
      });
    const rename = (name: string): string =>
      name.startsWith('vision_model.') ? name : `vision_model.${name}`;
    // The tower alone is saved with or without its prefix; in the whole model the text tower has another one.
    return {
      part: create(read((config['vision_config'] ?? config) as Json)),
      path: 'vision_model',
      rename: both ? (name) => name : rename,
      split,
    };
  }
  const model = isTower ? undefined : await modelOf(config, files);
  const found = model && findPart(model, part);
  if (!model || !found)
    throw new ConfigError({
      message: `A checkpoint of model_type '${type}' has no ${part}.`,
      where: 'config.json',
      hint: 'Take the part from another folder, or initialise it with a seed.',
    });
  const { rename = (name: string) => name, split = whole } = model.checkpoint;
  return { part: found, path: model.module.paths[part] ?? part, rename, split };
}
