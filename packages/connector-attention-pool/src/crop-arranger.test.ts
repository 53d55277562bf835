import { InputError } from '@weft/errors';
import { trace, type TensorData } from '@weft/graph';
import { randomTensor, testComputation, testDefinition, testSource } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { cropArranger, cropArrangerPart } from './crop-arranger.js';

const make = (masks = true) => cropArranger({ masks })({ textSize: 3, grid: [2, 2] });

const places = (shape: readonly number[], ...values: readonly number[]): TensorData => ({
  dtype: 'int64',
  shape,
  data: BigInt64Array.from(values, BigInt),
});
const floats = (shape: readonly number[], from = 0): TensorData => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from({ length: shape.reduce((product, side) => product * side, 1) }, (_, i) => from + i),
});

/** Two crops of one patch row each, [2, 2] patches of one pixel, two connector rows. */
const one = {
  pixel_values: floats([2, 3, 2, 2]),
  image_masks: floats([2, 4]),
  image_input_idx: places([2, 2], 4, 2, -100, 3),
};

describe('cropArranger', () => {
  const { row_index } = make().prepare(one)!;
  testComputation(() => ({
    model: { arranger: make() },
    trace: ({ arranger }) =>
      trace(
        { arranger },
        { rows: { dtype: 'float32', shape: ['rows', 3] }, ...arranger.inputs },
        ({ rows, ...inputs }) => ({ embeds: arranger.arrange(rows!, inputs) }),
      ),
    feeds: {
      rows: randomTensor([4, 3], 3),
      row_index: { shape: row_index!.shape, data: Array.from(row_index!.data as BigInt64Array, Number) },
    },
    output: 'embeds',
  }));

  testSource(() => make());

  it('takes the rows that have a place, in the order of their places', () => {
    expect([...row_index!.data]).toEqual([1n, 3n, 0n]);
    expect(make().prepare(one)).toMatchObject({
      pixel_values: one.pixel_values,
      image_masks: one.image_masks,
    });
    expect(Object.keys(make(false).prepare(one)!)).toEqual(['pixel_values', 'row_index']);
  });

  it('leaves out crops without a place, and goes on from sample to sample', () => {
    const {
      pixel_values,
      image_masks,
      row_index: rows,
    } = make().prepare({
      pixel_values: floats([4, 3, 2, 2]),
      image_masks: floats([2, 2, 4]),
      image_input_idx: places([2, 2, 2], 7, 5, -1, -100, 9, -1, 1, 2),
    })!;
    expect(pixel_values!.shape).toEqual([3, 3, 2, 2]);
    expect([...pixel_values!.data].filter((_, i) => i % 12 === 0)).toEqual([0, 24, 36]);
    expect([...image_masks!.data]).toEqual([0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect([...rows!.data]).toEqual([1n, 0n, 4n, 5n, 2n]);
  });

  it("reads Molmo's patches of rows, columns and channels", () => {
    const images: TensorData = {
      dtype: 'float32',
      shape: [1, 1, 4, 12],
      // Hundreds for the channel, tens for the row, ones for the column.
      data: Float32Array.from({ length: 48 }, (_, i) => {
        const [patch, inner] = [Math.floor(i / 12), Math.floor((i % 12) / 3)];
        const y = 2 * Math.floor(patch / 2) + Math.floor(inner / 2);
        return 100 * (i % 3) + 10 * y + 2 * (patch % 2) + (inner % 2);
      }),
    };
    const { pixel_values } = make(false).prepare({ images, image_input_idx: places([1, 1, 1], 0) })!;
    expect(pixel_values!.shape).toEqual([1, 3, 4, 4]);
    expect([...pixel_values!.data]).toEqual(
      [0, 100, 200].flatMap((channel) =>
        [0, 10, 20, 30].flatMap((row) => [0, 1, 2, 3].map((column) => channel + row + column)),
      ),
    );
  });

  it.each([
    ['a part of the tensors', { pixel_values: one.pixel_values }, /image_input_idx is missing/],
    [
      'no masks',
      { pixel_values: one.pixel_values, image_input_idx: one.image_input_idx },
      /image_masks is missing/,
    ],
    [
      'masks of other crops',
      { ...one, image_masks: floats([1, 4]) },
      /does not fit images \[2, 3, 2, 2\] and image_masks \[1, 4\]/,
    ],
    [
      'two pictures at one place',
      { ...one, image_input_idx: places([2, 2], 1, 2, 2, 3) },
      /gives two features the place 2 in sample 0/,
    ],
    [
      'patches that are no squares',
      { ...one, pixel_values: undefined, images: floats([2, 4, 6]) },
      /images is \[2, 4, 6\], expected 4 patches/,
    ],
  ])('refuses %s', (_, given, message) => {
    const prepare = () => make().prepare(given as Parameters<ReturnType<typeof make>['prepare']>[0]);
    expect(prepare).toThrow(InputError);
    expect(prepare).toThrow(message);
  });

  it('gives nothing where there are no pictures, and refuses encoders without a grid', () => {
    expect(make().prepare({})).toBeUndefined();
    expect(() => cropArranger({ masks: true })({ textSize: 3, grid: null })).toThrow(/fixed grid/);
  });
});

testDefinition(cropArrangerPart, {
  configs: [{ masks: true }, { masks: false }],
  context: { textSize: 5, grid: [2, 3] },
});
