import { ConfigError } from '@weft/errors';
import type { ImageProcessor, Json, ProcessorFactory } from '@weft/spec';
import { findDefinition, knownTypes, isKnownType, type PartSources } from './parts.js';

/**
 * The processor of pictures that a `preprocessor_config.json` was written for, for `compose`.
 *
 * @throws ConfigError if the file does not say, or names one that Weft does not know
 */
export async function readProcessor(
  preprocessor: Json,
  sources: PartSources = {},
): Promise<ProcessorFactory<ImageProcessor>> {
  const given = preprocessor['image_processor_type'];
  const type = String(given ?? '').replace(/(Fast|Pil)$/, '');
  if (!isKnownType('processor', type, sources))
    throw new ConfigError({
      message: `preprocessor_config.json: image_processor_type is ${JSON.stringify(given)}.`,
      hint: `Known: ${knownTypes('processor', sources).join(', ')}.`,
    });
  const { create, read } = await findDefinition('processor', type, sources);
  return create(read!(preprocessor)) as ProcessorFactory<ImageProcessor>;
}
