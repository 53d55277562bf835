import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import type { EncoderRun } from '@weft/spec';

/** What the tensors of the processor must agree with. */
export interface TileSizes {
  /** Side of a tile, pixels. */
  readonly imageSize: number;
  readonly numChannels: number;
  readonly maxNumTiles: number;
  readonly supportedAspectRatios: readonly unknown[];
}

/**
 * The runs for the tensors of the reference's processor, one for each picture: `pixel_values` `[B, I, T, C, H, W]`,
 * `aspect_ratio_ids` `[B, I]` and `aspect_ratio_mask` `[B, I, T]`; the axis of samples may be missing. Pictures that
 * fill up a sample (id 0) have runs too: the reference encodes them.
 *
 * @throws InputError if a tensor is missing, or does not fit the others or the encoder
 */
export function prepareRuns(
  given: Readonly<Record<string, TensorData>>,
  c: TileSizes,
  tokens: number,
): EncoderRun[] {
  const names = ['pixel_values', 'aspect_ratio_ids', 'aspect_ratio_mask'];
  const missing = names.filter((name) => !given[name]);
  if (missing.length === names.length) return [];
  if (missing.length > 0)
    throw new InputError({
      message: `${missing.join(' and ')} is missing.`,
      hint: `An image needs ${names.join(', ')}.`,
    });
  const own = [c.maxNumTiles, c.numChannels, c.imageSize, c.imageSize];
  const tails = [own, [], [c.maxNumTiles]];
  const lead = given['pixel_values']!.shape.slice(0, -own.length);
  for (const [i, name] of names.entries()) {
    const { shape } = given[name]!;
    const expected = [...lead, ...tails[i]!];
    if (
      lead.length < 1 ||
      lead.length > 2 ||
      shape.length !== expected.length ||
      shape.some((size, axis) => size !== expected[axis])
    )
      throw new InputError({
        message: `${name} is [${shape.join(', ')}], expected [${(lead.length < 1 || lead.length > 2 ? ['samples', 'images', ...tails[i]!] : expected).join(', ')}].`,
        hint: 'All three come from one run of the processor; its tile size and number of tiles are those of config.json.',
      });
  }
  const ids = given['aspect_ratio_ids']!.data;
  for (const id of ids)
    if (Number(id) < 0 || Number(id) > c.supportedAspectRatios.length)
      throw new InputError({
        message: `aspect_ratio_ids has ${id}, expected 0 to ${c.supportedAspectRatios.length}.`,
      });

  return Array.from({ length: ids.length }, (_, picture) => {
    const cut = (name: string, shape: readonly number[]): TensorData => {
      const { dtype, data } = given[name]!;
      const size = shape.reduce((product, side) => product * side, 1);
      return { dtype, shape: [1, ...shape], data: data.subarray(picture * size, (picture + 1) * size) };
    };
    return {
      inputs: Object.fromEntries(names.map((name, i) => [name, cut(name, tails[i]!)])),
      // A row of tokens for each tile.
      layout: { kind: 'image', frames: 1, rows: c.maxNumTiles, columns: tokens },
    };
  });
}
