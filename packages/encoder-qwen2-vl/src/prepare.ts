import { InputError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import type { EncoderRun, VisualLayout } from '@weft/spec';
import { cutWindows } from './windows.js';

/** Facts of the encoder that decide how pictures lie in its inputs. */
export interface Packing {
  /** Numbers of a patch. */
  readonly patchLength: number;
  /** Side of a block of patches that follow one another. */
  readonly mergeSize: number;
  /** Side of an attention window in blocks; `null` without windows. */
  readonly windowSide: number | null;
}

type Tensors = Readonly<Record<string, TensorData>>;

/** Names of the reference's tensors by kind. */
const names = {
  image: { values: 'pixel_values', grid: 'image_grid_thw' },
  video: { values: 'pixel_values_videos', grid: 'video_grid_thw' },
} as const;

/**
 * The runs for the tensors of Qwen2-VL's processor: patches `[P, C * T * p * p]` of all pictures, block after block,
 * and grids `[M, 3]` of moments, rows and columns; for videos also `second_per_grid_ts` `[M]`.
 *
 * @throws InputError if they do not fit each other or the encoder
 */
export function prepareRuns(given: Tensors, packing: Packing): EncoderRun[] {
  return (['image', 'video'] as const).flatMap((kind) => {
    const { values, grid } = names[kind];
    const [patches, grids] = [given[values], given[grid]];
    if (!patches && !grids) return [];
    if (!patches || !grids)
      throw new InputError({
        message: `${patches ? grid : values} is missing.`,
        hint: `Give both ${values} and ${grid}.`,
      });
    const seconds = kind === 'video' ? given['second_per_grid_ts'] : undefined;
    return cut(patches, layoutsOf(grids, grid, kind, seconds), { ...packing, name: values });
  });
}

function layoutsOf(
  { shape, data }: TensorData,
  name: string,
  kind: 'image' | 'video',
  seconds: TensorData | undefined,
): VisualLayout[] {
  if (shape.length !== 2 || shape[1] !== 3)
    throw new InputError({
      message: `${name} is [${shape.join(', ')}], expected [pictures, 3].`,
      hint: 'Each row is moments, rows and columns of patches.',
    });
  if (seconds && seconds.data.length !== shape[0])
    throw new InputError({
      message: `second_per_grid_ts has ${seconds.data.length} numbers, but ${name} has ${shape[0]} rows.`,
    });
  return Array.from({ length: shape[0]! }, (_, i) => {
    const [frames, rows, columns] = [0, 1, 2].map((axis) => Number(data[i * 3 + axis]!)) as [
      number,
      number,
      number,
    ];
    return { kind, frames, rows, columns, ...(seconds ? { interval: Number(seconds.data[i]!) } : {}) };
  });
}

function cut(
  { shape, data }: TensorData,
  layouts: readonly VisualLayout[],
  packing: Packing & { readonly name: string },
): EncoderRun[] {
  const { patchLength, mergeSize, windowSide, name } = packing;
  const wanted = layouts.reduce((sum, { frames, rows, columns }) => sum + frames * rows * columns, 0);
  if (shape.length !== 2 || shape[0] !== wanted || shape[1] !== patchLength)
    throw new InputError({
      message: `${name} is [${shape.join(', ')}], but the grids ask for [${wanted}, ${patchLength}].`,
      hint: 'Both must come from one run of the processor.',
    });
  let start = 0;
  return layouts.map((layout, i) => {
    const { frames, rows, columns } = layout;
    if (rows % mergeSize !== 0 || columns % mergeSize !== 0)
      throw new InputError({
        message: `Grid ${i} of ${name} is ${rows} x ${columns} patches, which blocks of ${mergeSize} x ${mergeSize} do not fill.`,
        hint: `Resize pictures so that ${mergeSize} divides rows and columns.`,
      });
    const [first, count] = [start, rows * columns];
    start += frames * count;
    const values = (data as Float32Array).subarray(first * patchLength, start * patchLength);
    return {
      layout,
      inputs: {
        patches: { dtype: 'float32', shape: [frames, count, patchLength], data: values },
        positions: { dtype: 'int64', shape: [2, count], data: positionsOf(rows, columns, mergeSize) },
        ...(windowSide === null
          ? {}
          : windowInputs(rows / mergeSize, columns / mergeSize, windowSide, mergeSize ** 2)),
      },
    };
  });
}

/** Row and column of each patch, block after block. */
function positionsOf(rows: number, columns: number, side: number): BigInt64Array {
  const count = rows * columns;
  const positions = new BigInt64Array(2 * count);
  let at = 0;
  for (let top = 0; top < rows; top += side)
    for (let left = 0; left < columns; left += side)
      for (let row = top; row < top + side; row++)
        for (let column = left; column < left + side; column++, at++) {
          positions[at] = BigInt(row);
          positions[count + at] = BigInt(column);
        }
  return positions;
}

function windowInputs(rows: number, columns: number, side: number, blockLength: number): Tensors {
  const { patches, slots, count, length } = cutWindows(rows, columns, side, blockLength);
  return {
    windows: { dtype: 'int64', shape: [count, length], data: patches },
    window_slots: { dtype: 'int64', shape: [slots.length], data: slots },
  };
}
