import { InputError } from '@weft/errors';
import { part, senseOf, type ImagePlacement, type Model } from '@weft/spec';
import { isVideo, type Visual } from './visuals.js';

/** Most bytes of the pictures of one request: their pixels, and the tensors that they become. */
export const mostPictureBytes = 2 ** 31;

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Adds up what the pictures of a request take, so that one too many is refused before there is memory for it. */
export class PictureMemory {
  #bytes = 0;
  #pictures = 0;

  /**
   * Counts a picture that is about to be decoded, or is in memory already.
   *
   * @throws InputError naming the picture, its size and what it needs
   */
  readonly admit = ({ width, height }: Size): void => {
    this.#add(width * height * 3, { width, height }, 'as RGB');
    this.#pictures++;
  };

  /** Counts the tensors of pictures and videos that are placed. */
  addTensors(model: Model, visuals: readonly Visual[], placements: readonly ImagePlacement[]): void {
    this.#pictures = 0;
    for (const [i, visual] of visuals.entries()) {
      this.#add(
        tensorBytes(model, placements[i]!),
        isVideo(visual) ? visual.frames[0]! : visual,
        'as tensors',
      );
      this.#pictures++;
    }
  }

  #add(bytes: number, { width, height }: Size, form: string): void {
    if (this.#bytes + bytes > mostPictureBytes)
      throw new InputError({
        message: `Picture ${this.#pictures} of the request is ${width} x ${height} pixels and needs ${inMebibytes(bytes)} ${form}, but of the ${inMebibytes(mostPictureBytes)} for all pictures of a request ${inMebibytes(mostPictureBytes - this.#bytes)} are left.`,
        where: 'images',
        hint: 'Send fewer or smaller pictures, or ask about some of them at a time.',
      });
    this.#bytes += bytes;
  }
}

/** Bytes of the float32 pixels that a placed picture or video becomes. */
function tensorBytes(model: Model, { tiles, layout }: ImagePlacement): number {
  const { patchSize, temporalPatchSize = 1, tileSize, maxTiles = 0 } = part(model, 'encoder').pixels;
  const pixels = layout
    ? layout.frames * temporalPatchSize * layout.rows * layout.columns * patchSize ** 2
    : // Where the encoder takes any size, the processor says what its tiles are.
      Math.max(tiles, maxTiles) *
      Number(tileSize ?? senseOf(model, 'image')?.processor.config['tileSize'] ?? 0) ** 2;
  return pixels * 3 * 4;
}

const inMebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
