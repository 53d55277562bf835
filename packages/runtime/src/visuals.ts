import { InputError } from '@weft/errors';
import { decodeImage, type DecodeOptions, type ImageSource } from '@weft/image';
import type { Picture, PromptRule, SenseKind, Video } from '@weft/spec';

/** A picture to look at: a path, a `file:` or `data:` URL, bytes, a Blob, or RGB samples in memory. */
export type ImageInput = ImageSource | Picture;

/** A video to look at. */
export interface VideoInput {
  /** Pictures of one size in order of time. */
  readonly frames: readonly ImageInput[];
  /** How many of them make a second; 2 unless given. */
  readonly fps?: number | undefined;
}

/** A picture or a video in memory. */
export type Visual = Picture | Video;

/** Frames per second of a video that does not say; the rate at which Qwen's own tools take frames. */
const usualRate = 2;

export const isVideo = (visual: Visual): visual is Video => 'frames' in visual;

/** The sense that a picture or a video is for. */
export const kindOf = (visual: Visual): SenseKind => (isVideo(visual) ? 'video' : 'image');

const isPicture = (source: ImageInput): source is Picture =>
  typeof source === 'object' && 'channels' in source && 'width' in source && 'data' in source;

/** How pictures are read. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** What shows through transparent pixels. */
  readonly backdrop?: PromptRule['backdrop'];
  /** Called with the size of each picture before it is decoded; may throw. */
  readonly admit?: DecodeOptions['admit'];
}

/**
 * A picture in memory.
 *
 * @throws InputError if it cannot be read
 */
export async function readPicture(
  source: ImageInput,
  { signal, backdrop, admit }: ReadOptions = {},
): Promise<Picture> {
  if (!isPicture(source)) return decodeImage(source, { signal, admit, alpha: backdrop });
  admit?.(source);
  return source;
}

/**
 * A video in memory: the object itself if nothing is left to decode.
 *
 * @throws InputError if a frame cannot be read, or the rate is not a number above 0
 */
export async function readVideo(source: VideoInput, options: ReadOptions = {}): Promise<Video> {
  const { frames, fps = usualRate } = source;
  if (!(fps > 0))
    throw new InputError({
      message: `A video has ${fps} frames a second, expected more than 0.`,
      hint: 'fps is how many of the frames make a second.',
    });
  const pictures: Picture[] = [];
  for (const frame of frames) pictures.push(await readPicture(frame, options));
  if (source.fps !== undefined && frames.every(isPicture)) return source as Video;
  return { frames: pictures, fps };
}
