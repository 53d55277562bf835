import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { cutPatches } from '@weft/nn';
import type { EncoderRun } from '@weft/spec';

/**
 * The runs for the tensors of Pixtral's processor: `pixel_values` `[M, C, H, W]`, padded at the right and below, and
 * `image_sizes` `[M, 2]`, height and width of each picture without padding; without sizes nothing is padding.
 *
 * @throws InputError if a picture is larger than its pixels, or the channels are not the encoder's
 */
export function prepareRuns(
  given: Readonly<Record<string, TensorData>>,
  numChannels: number,
  patchSize: number,
): EncoderRun[] {
  const { pixel_values: pixels, image_sizes: sizes } = given;
  if (!pixels) {
    if (sizes)
      throw new InputError({
        message: 'pixel_values is missing.',
        hint: 'Give pixel_values with image_sizes.',
      });
    return [];
  }
  const [pictures = 0, channels = 0, height = 0, width = 0] = pixels.shape;
  if (pixels.shape.length !== 4 || channels !== numChannels)
    throw new InputError({
      message: `pixel_values is [${pixels.shape.join(', ')}], expected [pictures, ${numChannels}, height, width].`,
    });
  if (sizes && (sizes.shape.length !== 2 || sizes.shape[0] !== pictures || sizes.shape[1] !== 2))
    throw new InputError({
      message: `image_sizes is [${sizes.shape.join(', ')}], expected [${pictures}, 2].`,
    });

  return Array.from({ length: pictures }, (_, picture) => {
    const [h, w] = sizes
      ? [Number(sizes.data[2 * picture]!), Number(sizes.data[2 * picture + 1]!)]
      : [height, width];
    const [rows, columns] = [Math.floor(h / patchSize), Math.floor(w / patchSize)];
    if (h > height || w > width || rows * columns === 0)
      throw new InputError({
        message: `Picture ${picture} is ${w} x ${h} pixels; pixel_values has ${width} x ${height}, and a patch is ${patchSize} x ${patchSize}.`,
        hint: 'image_sizes holds heights and widths and must come from one run of the processor with pixel_values.',
      });
    const size = channels * height * width;
    const plane = (pixels.data as Float32Array).subarray(picture * size, (picture + 1) * size);
    return {
      layout: { kind: 'image', frames: 1, rows, columns },
      inputs: {
        patches: {
          dtype: 'float32',
          shape: [1, rows * columns, channels * patchSize ** 2],
          data: cutPatches(plane, { shape: [channels, height, width], grid: [rows, columns], patchSize }),
        },
        positions: { dtype: 'int64', shape: [2, rows * columns], data: positionsOf(rows, columns) },
      },
    };
  });
}

function positionsOf(rows: number, columns: number): BigInt64Array {
  const count = rows * columns;
  return BigInt64Array.from({ length: 2 * count }, (_, i) =>
    BigInt(i < count ? Math.floor(i / columns) : i % columns),
  );
}
