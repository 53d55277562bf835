import { aria, readAriaConfig, splitAriaExperts } from '@weft/backbone-aria';
import { llama, readLlamaConfig } from '@weft/backbone-llama';
import { olmo, readOlmoConfig } from '@weft/backbone-olmo';
import { persimmon, readPersimmonConfig } from '@weft/backbone-persimmon';
import { phi, phi3, readPhi3Config, readPhiConfig } from '@weft/backbone-phi';
import { qwen2, readQwen2Config } from '@weft/backbone-qwen2';
import { ConfigError } from '@weft/errors';
import { unifiedFusion } from '@weft/fusion-unified';
import { splitExperts } from '@weft/nn';
import type { Backbone, CheckpointNames, Json, Model } from '@weft/spec';
import { textModel } from './compose.js';

/** Text families by `model_type`. */
const families: Readonly<Record<string, (section: Json) => Backbone>> = {
  llama: (section) => llama(readLlamaConfig(section)),
  mistral: (section) => llama(readLlamaConfig(section)),
  qwen2: (section) => qwen2(readQwen2Config(section)),
  olmo: (section) => olmo(readOlmoConfig(section)),
  olmo2: (section) => olmo(readOlmoConfig(section)),
  olmoe: (section) => olmo(readOlmoConfig(section)),
  persimmon: (section) => persimmon(readPersimmonConfig(section)),
  phi: (section) => phi(readPhiConfig(section)),
  phi3: (section) => phi3(readPhi3Config(section)),
  aria_text: (section) => aria(readAriaConfig(section)),
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

/** Model types of text models. */
export const textFamilies = (): string[] => Object.keys(families);

export const isTextFamily = (type: string): boolean => Object.hasOwn(families, type);

/** Buffers of old checkpoints, and a head that repeats the token table. */
function unusedText(name: string, tied: boolean): string | undefined {
  if (name.endsWith('rotary_emb.inv_freq')) return 'computed from the config';
  if (tied && name.endsWith('lm_head.weight')) return 'tied to the token embeddings';
  return undefined;
}

/** How every text model's tensors are found, on its own or within a larger model. */
export const textNames = (backbone: Backbone): CheckpointNames => ({
  // Both families call a layer's tensor of all experts by one name, in other orders of axes.
  split: backbone.id === 'backbone-aria' ? splitAriaExperts : splitExperts,
  unused: (name) => unusedText(name, Boolean(backbone.config['tieWordEmbeddings'])),
});

/** A text model on its own, from its `config.json`. */
export function textRecipe(config: Json): Model {
  const backbone = backboneOf(config);
  return textModel({
    name: String(config['model_type']),
    backbone,
    fusion: unifiedFusion(),
    config,
    checkpoint: textNames(backbone),
  });
}
