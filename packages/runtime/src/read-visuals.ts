import { InputError } from '@weft/errors';
import type { Picture, PromptRule } from '@weft/spec';
import type { Question } from './message.js';
import { PictureMemory } from './picture-memory.js';
import { isVideo, readPicture, readVideo, type ImageInput, type VideoInput, type Visual } from './visuals.js';

/** Pictures and videos of a request that no part of a message has taken yet. */
interface Waiting {
  readonly image: ImageInput[];
  readonly video: VideoInput[];
}

/**
 * Decodes the pictures and videos of a question, each kind in the order of its placeholders.
 *
 * @param backdrop what shows through transparent pixels
 * @throws InputError if one cannot be read, if there are more or fewer than places for them, or if all together need too
 * much memory
 */
export async function readVisuals(
  { messages, images = [], videos = [] }: Question,
  signal?: AbortSignal,
  backdrop?: PromptRule['backdrop'],
): Promise<Visual[]> {
  const { admit } = new PictureMemory();
  const read = {
    image: (source: ImageInput): Promise<Visual> => readPicture(source, { signal, backdrop, admit }),
    video: (source: VideoInput): Promise<Visual> => readVideo(source, { signal, admit }),
  };
  const visuals: Visual[] = [];
  if (!messages) {
    for (const source of images) visuals.push(await read.image(source));
    for (const source of videos) visuals.push(await read.video(source));
    return visuals;
  }
  const waiting: Waiting = { image: [...images], video: [...videos] };
  const given = { image: images.length, video: videos.length };
  const missing = (kind: keyof Waiting) =>
    new InputError({
      message: `The messages have more ${kind} parts than the ${given[kind]} ${kind}s given.`,
      where: `${kind}s`,
      hint: `Pass one ${kind} for each part of type ${kind}.`,
    });
  for (const part of messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content))) {
    if (part.type === 'text') continue;
    if (part.type === 'image') {
      const source = part.image ?? waiting.image.shift();
      if (source === undefined) throw missing('image');
      visuals.push(await read.image(source));
    } else {
      const source = part.frames === undefined ? waiting.video.shift() : (part as VideoInput);
      if (source === undefined) throw missing('video');
      visuals.push(await read.video(source));
    }
  }
  for (const kind of ['image', 'video'] as const)
    if (waiting[kind].length > 0)
      throw new InputError({
        message: `${given[kind]} ${kind}s were given, but the messages have places for ${given[kind] - waiting[kind].length}.`,
        where: `${kind}s`,
        hint: `Add a part { type: '${kind}' } to a message for each ${kind}.`,
      });
  return visuals;
}

/**
 * Decodes the pictures of a question, in the order of their placeholders.
 *
 * @param backdrop what shows through transparent pixels
 * @throws InputError if a picture cannot be read, if there are more or fewer than places for them, or for a video
 */
export async function readPictures(
  question: Question,
  signal?: AbortSignal,
  backdrop?: PromptRule['backdrop'],
): Promise<Picture[]> {
  const visuals = await readVisuals(question, signal, backdrop);
  return visuals.map((visual) => {
    if (!isVideo(visual)) return visual;
    throw new InputError({
      message: 'A video was given where only pictures are taken.',
      hint: 'Pass single frames as images.',
    });
  });
}
