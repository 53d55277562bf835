import { ConfigError } from '@weft/errors';
import { inFile } from '@weft/processors';
import type { ImageProcessor, Json, ProcessorFactory } from '@weft/spec';
import { findDefinition, isKnownType, knownTypes } from './parts.js';
import { imageTypeOf } from './processor-files.js';
import type { RecipeFiles } from './recipe.js';

/**
 * The processor of pictures that a `preprocessor_config.json` was written for, for `compose`.
 *
 * @throws ConfigError if the file does not say, or names one that Weft does not know
 */
export async function readProcessor(
  preprocessor: Json,
  { origin, notice, ...sources }: RecipeFiles = {},
): Promise<ProcessorFactory<ImageProcessor>> {
  const place = origin?.image ?? 'preprocessor_config.json';
  const type = imageTypeOf({}, preprocessor, '', place);
  if (!isKnownType('processor', type, sources))
    throw new ConfigError({
      message: `${place}: ${type === '' ? 'no image_processor_type is said' : `there is no image processor ${type}`}.`,
      hint: `Known: ${knownTypes('processor', sources).join(', ')}.`,
    });
  const { create, read } = await findDefinition('processor', type, sources);
  const section = inFile({ ...preprocessor, image_processor_type: type }, { place, notice });
  return create(read!(section)) as ProcessorFactory<ImageProcessor>;
}
