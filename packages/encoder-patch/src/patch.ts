import { module, reshape, slice, transpose, type Value } from '@weft/graph';
import type { Source, VisionEncoder } from '@weft/spec';

export interface PatchEncoderConfig {
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  readonly numChannels: number;
  /** Height and width of the input, pixels; `null` takes patches that are already cut. */
  readonly imageSize: readonly [height: number, width: number] | null;
}

const source: Source = {
  paper: 'https://www.adept.ai/blog/fuyu-8b',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/fuyu/modeling_fuyu.py',
};

/**
 * Fuyu's way of seeing: no encoder at all. Pictures are cut into patches, and each patch is one feature vector
 * of its raw pixels in (row, column, channel) order, channel last. The projection is the connector's.
 *
 * @returns encoder without parameters; features `[numTiles, rows * columns, patchSize² * numChannels]`
 */
export function rawPatches({ patchSize: p, numChannels, imageSize }: PatchEncoderConfig): VisionEncoder {
  const hiddenSize = p * p * numChannels;
  const grid = imageSize && cellsOf(imageSize, p);
  return module(
    'RawPatches',
    {},
    {
      encode: (_, { pixel_values, image_patches }: Readonly<Record<string, Value>>) => {
        if (!imageSize) {
          if (image_patches!.shape[2] !== hiddenSize)
            throw new ShapeError({
              message: `The patch encoder takes patches [T, P, ${hiddenSize}], but got ${printShape(image_patches!.shape)}.`,
              where: currentPath() || undefined,
            });
          return { hiddenStates: image_patches!, grid: null };
        }
        const [rows, columns] = grid;
        const [, ...size] = pixel_values!.shape;
        if (!sameShape(size, [numChannels, ...imageSize]))
          throw new ShapeError({
            message: `The patch encoder takes pixels [T, ${numChannels}, ${imageSize.join(', ')}], but got ${printShape(pixel_values!.shape)}.`,
            where: currentPath() || undefined,
          });
        const whole = slice(slice(pixel_values!, 2, 0, rows * p), 3, 0, columns * p);
        const tiles = whole.shape[0]!;
        const cut = transpose(reshape(whole, [tiles, numChannels, rows, p, columns, p]), [0, 2, 4, 3, 5, 1]);
        return { hiddenStates: reshape(cut, [tiles, rows * columns, hiddenSize]), grid };
      },
    },
    {
      facts: () => ({
        id: 'encoder-patch',
        source,
        config: { patchSize: p, numChannels, imageSize },
        hiddenSize,
        grid,
        inputs: imageSize
          ? { pixel_values: { dtype: 'float32' as const, shape: ['tiles', numChannels, ...imageSize] } }
          : { image_patches: { dtype: 'float32' as const, shape: ['tiles', 'patches', hiddenSize] } },
      }),
    },
  ) as unknown as VisionEncoder;
}

