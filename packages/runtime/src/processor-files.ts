import { ConfigError, type TakeNotice } from '@weft/errors';
import type { ProcessorOrigin, RecipeFiles } from '@weft/models';
import type { Json } from '@weft/spec';

/** JSON files that say how pictures, videos and prompts are prepared; those that the folder has. */
export interface ProcessorFiles {
  readonly config: Json;
  /** `processor_config.json` */
  readonly processor: Json | undefined;
  /** `preprocessor_config.json` */
  readonly preprocessor: Json | undefined;
  /** `video_preprocessor_config.json` */
  readonly video: Json | undefined;
  /** `tokenizer_config.json` */
  readonly tokenizer: Json | undefined;
}

/** A section of a file, and where it stands. */
interface Placed {
  readonly section: Json;
  readonly place: string;
}

/**
 * Which files and sections count, in the order of transformers 5.18 (`get_image_processor_dict`,
 * `get_video_processor_dict`, `AutoProcessor.from_pretrained`):
 *
 * - pictures: `image_processor` of `processor_config.json`, unless it is missing or `null`; `preprocessor_config.json`
 * - videos: `video_processor` of `processor_config.json`, likewise; `video_preprocessor_config.json`;
 *   `preprocessor_config.json`
 * - the processor's class: `processor_class` of `processor_config.json`; of the section that counts for pictures, if there
 *   is a `preprocessor_config.json`, else of that for videos, if there is a `video_preprocessor_config.json`; of
 *   `tokenizer_config.json`; of `config.json`
 *
 * @param notice is told of files that differ from the one that counts, and of those only
 * @throws ConfigError if a section is no object
 */
export function processorFilesOf(
  given: ProcessorFiles,
  notice?: TakeNotice,
): Pick<RecipeFiles, 'preprocessor' | 'videoPreprocessor' | 'origin'> {
  const { processor, preprocessor, video } = given;
  const own = placed(preprocessor, 'preprocessor_config.json');
  const image = firstOf([nested(processor, 'image_processor'), own], notice);
  // The file of pictures is read for videos where there is none of theirs, which is no contradiction.
  const moving =
    firstOf(
      [nested(processor, 'video_processor'), placed(video, 'video_preprocessor_config.json')],
      notice,
    ) ?? own;
  const named = processorClassOf(given, image, moving);
  const origin: ProcessorOrigin = {
    image: image?.place ?? null,
    video: moving?.place ?? null,
    processor: processor ? besideSections(processor) : null,
    ...(named === undefined ? {} : { processorClass: named }),
    ...imageTokenOf(given),
  };
  return {
    preprocessor: image?.section ?? {},
    videoPreprocessor: moving?.section ?? image?.section ?? {},
    origin,
  };
}

const besideSections = ({
  image_processor: _image,
  video_processor: _video,
  chat_template: _template,
  ...rest
}: Json): Json => rest;

const placed = (section: Json | undefined, place: string): Placed | undefined =>
  section && { section, place };

function nested(processor: Json | undefined, key: string): Placed | undefined {
  const section = processor?.[key];
  // A section that is null is looked for in its own file, as one that is missing.
  if (section === undefined || section === null) return undefined;
  if (typeof section === 'object' && !Array.isArray(section))
    return { section: section as Json, place: `processor_config.json: ${key}` };
  throw new ConfigError({
    message: `processor_config.json: ${key} is ${JSON.stringify(section)}, expected an object.`,
    hint: 'Download the file again, or take the key out: preprocessor_config.json is read then.',
  });
}

/** The first that is there; whoever differs from it is told of. */
function firstOf(found: readonly (Placed | undefined)[], notice: TakeNotice | undefined): Placed | undefined {
  const [first, ...others] = found.filter((one) => one !== undefined);
  for (const { section, place } of others) {
    const keys = differingKeys(first!.section, section);
    if (keys.length > 0)
      notice?.({
        where: place,
        message: `It is not read: ${first!.place} goes before it, and differs in ${keys.join(', ')}.`,
      });
  }
  return first;
}

/** Keys of either section whose values differ; who wrote a section is no difference. */
const differingKeys = (a: Json, b: Json): string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((key) => key !== 'processor_class' && JSON.stringify(a[key]) !== JSON.stringify(b[key]))
    .toSorted();

function processorClassOf(
  { config, processor, preprocessor, video, tokenizer }: ProcessorFiles,
  image: Placed | undefined,
  moving: Placed | undefined,
): ProcessorOrigin['processorClass'] {
  const candidates: readonly (Placed | undefined)[] = [
    placed(processor, 'processor_config.json'),
    preprocessor ? image : video && moving,
    placed(tokenizer, 'tokenizer_config.json'),
    placed(config, 'config.json'),
  ];
  for (const candidate of candidates) {
    const name = candidate?.section['processor_class'];
    if (name === undefined || name === null) continue;
    if (typeof name === 'string') return { name, place: candidate!.place };
    throw new ConfigError({
      message: `${candidate!.place}: processor_class is ${JSON.stringify(name)}, expected the name of a class.`,
    });
  }
  return undefined;
}

/** The token that stands for a picture in prompts: the tokenizer's, else that which the processor's file names. */
function imageTokenOf({ tokenizer, processor }: ProcessorFiles): Pick<ProcessorOrigin, 'imageToken'> {
  const candidates: readonly (Placed | undefined)[] = [
    placed(tokenizer, 'tokenizer_config.json'),
    placed(extraOf(tokenizer), 'tokenizer_config.json: extra_special_tokens'),
    placed(processor, 'processor_config.json'),
  ];
  for (const candidate of candidates) {
    const name = candidate?.section['image_token'];
    if (typeof name === 'string') return { imageToken: { name, place: candidate!.place } };
  }
  return {};
}

function extraOf(tokenizer: Json | undefined): Json | undefined {
  const extra = tokenizer?.['extra_special_tokens'];
  return typeof extra === 'object' && extra !== null && !Array.isArray(extra) ? (extra as Json) : undefined;
}
