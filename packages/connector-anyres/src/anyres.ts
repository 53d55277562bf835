import { ConfigError, InputError } from '@weft/errors';
import {
  concat,
  gather,
  module,
  mul,
  Parameter,
  reduceSum,
  reshape,
  type TensorData,
  type Value,
} from '@weft/graph';
import {
  checkConfig,
  type ArrangerFactory,
  type PatchGrid,
  type PartDefinition,
  type Source,
} from '@weft/spec';
import { planAnyres, type AnyresConfig, type AnyresPlan } from './plan.js';
import { indexRows } from './row-index.js';

const source: Source = {
  paper: 'https://arxiv.org/abs/2408.03326',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/llava_next/modeling_llava_next.py',
};

/**
 * LLaVA-NeXT's and LLaVA-OneVision's order of features: the whole picture first, then the tiles as the one picture that
 * they make up, without the features of padding, a learnt newline at the end of each row. All of it is one gather over
 * the connector's rows; which rows, the size of each picture decides.
 *
 * Graph inputs: int64 `row_index` `[tokens]`; where features may be shrunk `[tokens, taps]`, with float32
 * `row_weights` `[tokens, taps, 1]`. `prepare` makes them of `pixel_values`, `image_sizes` and, on request,
 * `batch_num_images`: pictures that share a sample are single views.
 *
 * @throws ConfigError if a resolution is not a multiple of the tile
 */
export function anyresArranger(c: AnyresConfig): ArrangerFactory {
  for (const [height, width] of c.pinpoints)
    if (!(height > 0 && width > 0) || height % c.tileSize !== 0 || width % c.tileSize !== 0)
      throw new ConfigError({
        message: `The resolution ${height} x ${width} is not a multiple of the tile of ${c.tileSize} x ${c.tileSize} pixels.`,
        where: 'image_grid_pinpoints',
        hint: 'Resolutions are heights and widths in pixels, in whole tiles.',
      });
  const isBlended = c.mostTiles !== null;
  return ({ textSize, grid }) => {
    if (!grid || grid[0] !== grid[1])
      throw new ConfigError({
        message: `Anyres needs tiles of a square grid of features, but the encoder has ${grid ? `${grid[0]} x ${grid[1]}` : 'no fixed grid'}.`,
        hint: 'Use an encoder of a square input.',
      });
    return module(
      'AnyresArranger',
      { image_newline: new Parameter([textSize]) },
      {
        arrange: (
          { image_newline },
          rows: Value,
          { row_index, row_weights }: Readonly<Record<string, Value>>,
        ): Value => {
          const picked = gather(concat([reshape(image_newline, [1, textSize]), rows], 0), row_index!);
          return isBlended ? reduceSum(mul(picked, row_weights!), [1]) : picked;
        },
      },
      {
        facts: () => ({
          id: 'arranger-anyres',
          source,
          config: { ...c },
          inputs: isBlended
            ? {
                row_index: { dtype: 'int64' as const, shape: ['tokens', 'taps'] },
                row_weights: { dtype: 'float32' as const, shape: ['tokens', 'taps', 1] },
              }
            : { row_index: { dtype: 'int64' as const, shape: ['tokens'] } },
          plan: (size: { readonly width: number; readonly height: number }, index: number) =>
            planAnyres(size, c, grid, index),
          prepare: (given: Readonly<Record<string, TensorData>>) => prepare(given, c, grid),
        }),
      },
    );
  };
}

function prepare(
  given: Readonly<Record<string, TensorData>>,
  c: AnyresConfig,
  grid: PatchGrid,
): Readonly<Record<string, TensorData>> | undefined {
  const { pixel_values: pixels, image_sizes: sizes } = given;
  if (!pixels && !sizes) return undefined;
  if (!pixels || !sizes)
    throw new InputError({
      message: `${pixels ? 'image_sizes' : 'pixel_values'} is missing.`,
      hint: 'Give pixel_values and image_sizes of one run of the processor.',
    });
  if (sizes.shape.length !== 2 || sizes.shape[1] !== 2)
    throw new InputError({
      message: `image_sizes is [${sizes.shape.join(', ')}], expected [pictures, 2]: heights and widths.`,
    });
  const sharing = sharesSample(given['batch_num_images'], sizes.shape[0]!);
  const plans = sharing.map((isSingleView, i) => {
    const [height, width] = [Number(sizes.data[2 * i]!), Number(sizes.data[2 * i + 1]!)];
    return isSingleView ? null : planAnyres({ width, height }, c, grid, i);
  });
  const { tokens, taps, indices, weights } = indexRows(plans, grid);
  const pixel_values = viewsOf(pixels, plans);
  if (c.mostTiles === null)
    return { pixel_values, row_index: { dtype: 'int64', shape: [tokens], data: indices } };
  return {
    pixel_values,
    row_index: { dtype: 'int64', shape: [tokens, taps], data: indices },
    row_weights: { dtype: 'float32', shape: [tokens, taps, 1], data: weights },
  };
}

/** For each picture whether others are in its sample. */
function sharesSample(counts: TensorData | undefined, pictures: number): boolean[] {
  if (!counts) return Array.from({ length: pictures }, () => false);
  const sharing = Array.from(counts.data as BigInt64Array, Number).flatMap((count) =>
    Array.from({ length: count }, () => count > 1),
  );
  if (sharing.length !== pictures)
    throw new InputError({
      message: `batch_num_images adds up to ${sharing.length} pictures, but image_sizes has ${pictures}.`,
    });
  return sharing;
}

/** The views of all pictures, `[tiles, 3, H, W]`, from those or from `[M, V, 3, H, W]`, filled up with others. */
function viewsOf({ dtype, shape, data }: TensorData, plans: readonly (AnyresPlan | null)[]): TensorData {
  const counts = plans.map((plan) => 1 + (plan ? plan.tiles[0] * plan.tiles[1] : 0));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const view = shape.slice(-3);
  const fits =
    shape.length === 5
      ? shape[0] === plans.length && counts.every((count) => count <= shape[1]!)
      : shape.length === 4 && shape[0] === total;
  if (!fits)
    throw new InputError({
      message: `pixel_values is [${shape.join(', ')}], but the image_sizes ask for ${counts.join(' + ')} views.`,
      hint: 'Both must come from one run of the processor, and image_grid_pinpoints of config.json and preprocessor_config.json must agree.',
    });
  if (shape.length === 4) return { dtype, shape, data };
  const size = view.reduce((product, side) => product * side, 1);
  const joined = new Float32Array(total * size);
  let to = 0;
  for (const [i, count] of counts.entries()) {
    const from = i * shape[1]! * size;
    joined.set((data as Float32Array).subarray(from, from + count * size), to);
    to += count * size;
  }
  return { dtype, shape: [total, ...view], data: joined };
}

/** LLaVA-NeXT's order of features, by its name. */
export const anyresPart: PartDefinition<'arranger', AnyresConfig> = {
  id: 'arranger-anyres',
  kind: 'arranger',
  create: (config) => anyresArranger(checkConfig(anyresPart, config)),
  fields: {
    pinpoints: { list: { list: 'count', length: 2 } },
    tileSize: 'count',
    mostTiles: { nullable: 'count' },
  },
  presets: {},
  source,
};
