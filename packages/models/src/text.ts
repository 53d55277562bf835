import { llama, readLlamaConfig } from '@weft/backbone-llama';
import { qwen2, readQwen2Config } from '@weft/backbone-qwen2';
import { ConfigError } from '@weft/errors';
import { unifiedFusion } from '@weft/fusion-unified';
import type { Backbone, Json, Model } from '@weft/spec';
import { textModel } from './compose.js';

/** Text families by `model_type`. */
const families: Readonly<Record<string, (section: Json) => Backbone>> = {
  llama: (section) => llama(readLlamaConfig(section)),
  mistral: (section) => llama(readLlamaConfig(section)),
  qwen2: (section) => qwen2(readQwen2Config(section)),
};

/**
 * The backbone of a text section.
 *
 * @throws ConfigError that lists the families, if the model type is unknown
 */
export function backboneOf(section: Json, changes: Json = {}): Backbone {
  const type = String(section['model_type'] ?? 'llama');
  const family = Object.hasOwn(families, type) ? families[type] : undefined;
  if (!family)
    throw new ConfigError({
      message: `config.json: there is no text backbone of model_type '${type}'.`,
      hint: `Known: ${Object.keys(families).join(', ')}.`,
    });
  return family({ ...section, ...changes });
}

export const isTextFamily = (type: string): boolean => Object.hasOwn(families, type);

/** Buffers of old checkpoints, and a head that repeats the token table. */
export function unusedText(name: string, tied: boolean): string | undefined {
  if (name.endsWith('rotary_emb.inv_freq')) return 'computed from the config';
  if (tied && name.endsWith('lm_head.weight')) return 'tied to the token embeddings';
  return undefined;
}

/** A text model on its own, from its `config.json`. */
export function textRecipe(config: Json): Model {
  const backbone = backboneOf(config);
  const tied = Boolean(backbone.config['tieWordEmbeddings']);
  return textModel({
    name: String(config['model_type']),
    backbone,
    fusion: unifiedFusion(),
    config,
    checkpoint: { unused: (name) => unusedText(name, tied) },
  });
}
