import { InputError, ShapeError } from '@weft/errors';
import { gather, module, type TensorData, type Value } from '@weft/graph';
import {
  checkConfig,
  type ArrangerFactory,
  type PatchGrid,
  type PartDefinition,
  type Source,
} from '@weft/spec';

type Tensors = Readonly<Record<string, TensorData>>;

export interface CropArrangerOptions {
  /** Whether the connector takes `image_masks`. */
  readonly masks: boolean;
}

const source: Source = {
  paper: 'https://arxiv.org/abs/2409.17146',
  code: 'https://github.com/allenai/molmo/blob/793fa387edfd6fd0f5b21eb8e0a7620a1f3799e1/olmo/data/model_preprocessor.py',
};

/**
 * Molmo's order of features: crops overlap, so only some rows of each have a token, and tokens follow the rows of the whole
 * picture across its crops. `image_input_idx` says for each row of the connector the place of its token, a negative number
 * that it has none.
 *
 * Graph input: int64 `row_index` `[tokens]`. `prepare` makes it of `image_input_idx` `[crops, rows]` or
 * `[batch, crops, rows]`, and passes on `image_masks` and the crops that have tokens, given as `pixel_values`
 * `[crops, 3, S, S]` or as Molmo's own `images` `[…, patches, p * p * 3]`.
 */
export const cropArranger =
  ({ masks }: CropArrangerOptions): ArrangerFactory =>
  ({ grid }) => {
    if (!grid)
      throw new ShapeError({
        message: 'Crops need features with a fixed grid, which the encoder does not have.',
        hint: 'Give the encoder an image size.',
      });
    return module(
      'CropArranger',
      {},
      {
        arrange: (_, rows: Value, { row_index }: Readonly<Record<string, Value>>): Value =>
          gather(rows, row_index!),
      },
      {
        facts: () => ({
          id: 'arranger-crops',
          source,
          config: { masks },
          inputs: { row_index: { dtype: 'int64' as const, shape: ['tokens'] } },
          prepare: (given: Tensors) => prepare(given, masks, grid),
        }),
      },
    );
  };

function prepare(given: Tensors, masks: boolean, grid: PatchGrid): Tensors | undefined {
  const { images, pixel_values: pixels = images, image_input_idx: places, image_masks: shares } = given;
  if (!pixels && !places) return undefined;
  if (!pixels || !places || (masks && !shares))
    throw new InputError({
      message: `${pixels ? (places ? 'image_masks' : 'image_input_idx') : 'images'} is missing.`,
      hint: 'Give images, image_masks and image_input_idx of one run of the processor.',
    });
  const perCrop = places.shape.at(-1)!;
  const crops = places.data.length / perCrop;
  const perSample = places.shape.at(-2)!;
  const patches = grid[0] * grid[1];
  const pixelCount = pixels.data.length / crops;
  if (!Number.isInteger(pixelCount) || (masks && shares!.data.length !== crops * patches))
    throw new InputError({
      message: `image_input_idx is [${places.shape.join(', ')}], which does not fit images [${pixels.shape.join(', ')}]${masks ? ` and image_masks [${shares!.shape.join(', ')}]` : ''}.`,
      hint: `All have as many crops, of ${patches} patches each.`,
    });
  const at = Array.from(places.data as BigInt64Array, Number);
  const { kept, order } = orderRows(at, perCrop, perSample);
  const shape = [kept.length, ...pixels.shape.slice(pixels === images ? -2 : -3)];
  const seen: TensorData = { dtype: 'float32', shape, data: pick(pixels, kept, pixelCount) };
  return {
    pixel_values: pixels === images ? joinPatches(seen, grid) : seen,
    ...(masks
      ? {
          image_masks: {
            dtype: 'float32',
            shape: [kept.length, patches],
            data: pick(shares!, kept, patches),
          },
        }
      : {}),
    row_index: { dtype: 'int64', shape: [order.length], data: BigInt64Array.from(order, BigInt) },
  };
}

/**
 * Crops that have tokens, others only fill up a batch; and the rows of those, sample by sample in the order of their places.
 *
 * @throws InputError if two rows of a sample have one place
 */
function orderRows(
  places: readonly number[],
  perCrop: number,
  perSample: number,
): { readonly kept: readonly number[]; readonly order: readonly number[] } {
  const crops = places.length / perCrop;
  const kept = Array.from({ length: crops }, (_, crop) => crop).filter((crop) =>
    places.slice(crop * perCrop, (crop + 1) * perCrop).some((place) => place >= 0),
  );
  const found = kept
    .flatMap((crop, number) =>
      places.slice(crop * perCrop, (crop + 1) * perCrop).map((place, i) => ({
        sample: Math.floor(crop / perSample),
        place,
        row: number * perCrop + i,
      })),
    )
    .filter(({ place }) => place >= 0)
    .toSorted((a, b) => a.sample - b.sample || a.place - b.place);
  const twice = found.find(
    ({ sample, place }, i) => place === found[i + 1]?.place && sample === found[i + 1]?.sample,
  );
  if (twice)
    throw new InputError({
      message: `image_input_idx gives two features the place ${twice.place} in sample ${twice.sample}.`,
      hint: 'Molmo takes one picture in a sample: its processor gives a second one the places of the first.',
    });
  return { kept, order: found.map(({ row }) => row) };
}

/** Some of the crops, one after another. */
function pick({ data }: TensorData, crops: readonly number[], size: number): Float32Array {
  const result = new Float32Array(crops.length * size);
  for (const [to, from] of crops.entries())
    result.set((data as Float32Array).subarray(from * size, (from + 1) * size), to * size);
  return result;
}

/** Patches of rows, columns and channels, `[crops, patches, p * p * 3]`, to crops `[crops, 3, S, S]`. */
function joinPatches({ shape, data }: TensorData, [rows, columns]: PatchGrid): TensorData {
  const [crops = 0, patches, length = 0] = shape;
  const side = Math.sqrt(length / 3);
  if (patches !== rows * columns || !Number.isInteger(side))
    throw new InputError({
      message: `images is [${shape.join(', ')}], expected ${rows * columns} patches of rows, columns and three channels.`,
      hint: 'Sizes in preprocessor_config.json and config.json must agree.',
    });
  const [height, width] = [rows * side, columns * side];
  const joined = new Float32Array(crops * 3 * height * width);
  let from = 0;
  for (let crop = 0; crop < crops; crop++)
    for (let patch = 0; patch < patches; patch++) {
      const [top, left] = [Math.floor(patch / columns) * side, (patch % columns) * side];
      for (let y = top; y < top + side; y++)
        for (let x = left; x < left + side; x++)
          for (let channel = 0; channel < 3; channel++)
            joined[((crop * 3 + channel) * height + y) * width + x] = (data as Float32Array)[from++]!;
    }
  return { dtype: 'float32', shape: [crops, 3, height, width], data: joined };
}

/** Molmo's order of features, by its name. */
export const cropArrangerPart: PartDefinition<'arranger', CropArrangerOptions> = {
  id: 'arranger-crops',
  kind: 'arranger',
  create: (config) => cropArranger(checkConfig(cropArrangerPart, config)),
  fields: { masks: 'flag' },
  presets: {},
  source,
};
