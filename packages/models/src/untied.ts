import type { Json } from '@weft/spec';

/** Sections of a `config.json` in which the flag of a text model may stand. */
const textSections = ['text_config', 'llm_config', 'language_config'] as const;

/**
 * A `config.json` whose head is not tied to the token embeddings, wherever the flag stands: at the top, in the section of
 * the text model, or in the backbone's configuration of `model_type: weft`.
 */
export function untied(config: Json): Json {
  const sections = textSections.flatMap((name): [string, Json][] => {
    const section = config[name];
    return isObject(section) ? [[name, { ...section, tie_word_embeddings: false }]] : [];
  });
  const { backbone } = config;
  if (isObject(backbone) && isObject(backbone['config']))
    return {
      ...config,
      backbone: { ...backbone, config: { ...backbone['config'], tieWordEmbeddings: false } },
    };
  return { ...config, tie_word_embeddings: false, ...Object.fromEntries(sections) };
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;
