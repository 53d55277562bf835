import { clip, readClipConfig } from '@weft/encoder-clip';
import { readSiglipConfig, siglip } from '@weft/encoder-siglip';
import { ConfigError } from '@weft/errors';
import { findPart, type CheckpointNames, type Component, type Json } from '@weft/spec';
import { modelOf, type RecipeFiles } from './recipes.js';

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

const towers: Readonly<Record<string, (section: Json) => Component>> = {
  siglip: (section) => siglip(readSiglipConfig(section)),
  siglip_vision_model: (section) => siglip(readSiglipConfig(section)),
  clip: (section) => clip(readClipConfig(section)),
  clip_vision_model: (section) => clip(readClipConfig(section)),
};

/**
 * A part of the checkpoint that a `config.json` describes: of a model that a recipe knows, or the vision tower of a
 * CLIP or SigLIP checkpoint.
 *
 * @throws ConfigError if the checkpoint has no such part
 */
export function partOf(config: Json, part: PartName, files: RecipeFiles = {}): PartInCheckpoint {
  const type = String(config['model_type'] ?? '');
  const tower = Object.hasOwn(towers, type) ? towers[type] : undefined;
  if (tower && part === 'encoder') {
    const rename = (name: string): string =>
      name.startsWith('vision_model.') ? name : `vision_model.${name}`;
    const both = 'vision_config' in config;
    // The tower alone is saved with or without its prefix; in the whole model the text tower has another one.
    return {
      part: tower((config['vision_config'] ?? config) as Json),
      path: 'vision_model',
      rename: both ? (name) => name : rename,
      split: whole,
    };
  }
  const model = tower ? undefined : modelOf(config, files);
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
