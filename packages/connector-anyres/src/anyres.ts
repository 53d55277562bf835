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
import { noResolution, planAnyres, wholePlan, type AnyresConfig, type AnyresPlan } from './plan.js';
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
 * `row_weights` `[tokens, taps, 1]`. `prepare` makes them of `pixel_values`, `image_sizes` and, on request, of
 * `batch_num_images`, the pictures of each sample, of which those that share one are single views, or `need_patching`,
 * which says of each picture whether it is cut (1) or such a view (0).
 *
 * @throws ConfigError if there is no resolution, or one is not a multiple of the tile
 */
export function anyresArranger(c: AnyresConfig): ArrangerFactory {
  checkConfig(anyresPart, c);
  if (c.pinpoints.length === 0) throw noResolution();
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
          plan: (size: { readonly width: number; readonly height: number }, total: number) =>
            planAnyres(size, c, grid, total),
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
  const plans = whichAreCut(given, sizes.shape[0]!).map((isCut, i) => {
    const [height, width] = [Number(sizes.data[2 * i]!), Number(sizes.data[2 * i + 1]!)];
    return isCut ? planAnyres({ width, height }, c, grid) : wholePlan(grid);
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

/** For each picture whether it is cut in tiles. */
function whichAreCut(
  { need_patching: own, batch_num_images: counts }: Readonly<Record<string, TensorData>>,
  pictures: number,
): boolean[] {
  const found = own
    ? Array.from(own.data as BigInt64Array, (one) => Number(one) !== 0)
    : counts
      ? Array.from(counts.data as BigInt64Array, Number).flatMap((count) =>
          Array.from({ length: count }, () => count === 1),
        )
      : Array.from({ length: pictures }, () => true);
  if (found.length !== pictures)
    throw new InputError({
      message: `${own ? 'need_patching has' : 'batch_num_images adds up to'} ${found.length} pictures, but image_sizes has ${pictures}.`,
    });
  return found;
}

/** The views of all pictures, `[tiles, 3, H, W]`, from those or from `[M, V, 3, H, W]`, filled up with others. */
function viewsOf({ dtype, shape, data }: TensorData, plans: readonly AnyresPlan[]): TensorData {
  const counts = plans.map(({ tiles }) => 1 + tiles[0] * tiles[1]);
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
  create: (config) => anyresArranger(config),
  fields: {
    pinpoints: { list: { list: 'count', length: 2 } },
    tileSize: 'count',
    mostTiles: { nullable: 'count' },
    wholeIfSeveral: { optional: 'flag' },
  },
  presets: {},
  source,
};
