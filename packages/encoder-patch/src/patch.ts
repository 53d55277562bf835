import { ShapeError } from '@weft/errors';
import {
  currentPath,
  module,
  printShape,
  reshape,
  sameShape,
  slice,
  transpose,
  type Value,
} from '@weft/graph';
import { checkConfig, type PartDefinition, type Source, type VisionEncoder } from '@weft/spec';

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
export function rawPatches(config: PatchEncoderConfig): VisionEncoder {
  const { patchSize: p, numChannels, imageSize } = checkConfig(rawPatchesPart, config);
  const hiddenSize = p * p * numChannels;
  const grid = imageSize && ([Math.floor(imageSize[0] / p), Math.floor(imageSize[1] / p)] as const);
  return module(
    'RawPatches',
    {},
    {
      encode: (_, { pixel_values, image_patches }: Readonly<Record<string, Value>>) => {
        if (!grid) return { hiddenStates: expectSizes(image_patches!, [hiddenSize]), grid };
        const [rows, columns] = grid;
        expectSizes(pixel_values!, [numChannels, ...imageSize!]);
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
        pixels: {
          patchSize: p,
          ...(imageSize && imageSize[0] === imageSize[1] ? { tileSize: imageSize[0] } : {}),
        },
        inputs: imageSize
          ? { pixel_values: { dtype: 'float32' as const, shape: ['tiles', numChannels, ...imageSize] } }
          : { image_patches: { dtype: 'float32' as const, shape: ['tiles', 'patches', hiddenSize] } },
      }),
    },
  ) as unknown as VisionEncoder;
}

/** The value itself, if its last sizes are these. */
function expectSizes(x: Value, sizes: readonly number[]): Value {
  if (sameShape(x.shape.slice(-sizes.length), sizes)) return x;
  throw new ShapeError({
    message: `The patch encoder takes inputs that end in ${printShape(sizes)}, but got ${printShape(x.shape)}.`,
    where: currentPath() || undefined,
    hint: 'Use the image size, the patch size and the channels that the encoder was made with.',
  });
}

/** Raw patches, by their name. */
export const rawPatchesPart: PartDefinition<'encoder', PatchEncoderConfig> = {
  id: 'encoder-patch',
  kind: 'encoder',
  create: (config) => rawPatches(config),
  fields: { patchSize: 'count', numChannels: 'count', imageSize: { nullable: { list: 'count', length: 2 } } },
  presets: {},
  source,
};
