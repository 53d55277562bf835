import { ConfigError } from '@weft/errors';
import type { Json } from '@weft/spec';

/**
 * A `config.json` for Mistral's own layout of Pixtral, a `params.json` beside a `consolidated.safetensors`.
 *
 * @throws ConfigError if the file describes a model without sight
 */
export function configOfParams(params: Json): Json {
  if (typeof params['vision_encoder'] !== 'object')
    throw new ConfigError({
      message: 'params.json describes a model without a vision encoder.',
      hint: "Of Mistral's own layout Pixtral is read; use the transformers layout of text models.",
    });
  const length = params['max_seq_len'] ?? params['max_position_embeddings'];
  return {
    ...params,
    model_type: 'pixtral_native',
    eos_token_id: 2,
    ...(length === undefined ? {} : { max_position_embeddings: length }),
  };
}
