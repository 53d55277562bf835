import { ConfigError } from '@weft/errors';
import { namedParameters, trace, type TensorData } from '@weft/graph';
import {
  randomTensor,
  testComputation,
  testDefinition,
  testGoldenSizes,
  testSource,
  type GoldenSizes,
} from '@weft/testing';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { anyresArranger, anyresPart } from './anyres.js';
import { planAnyres, type AnyresConfig } from './plan.js';

const next: AnyresConfig = {
  pinpoints: [
    [336, 672],
    [672, 336],
    [672, 672],
    [1008, 336],
    [336, 1008],
  ],
  tileSize: 336,
  mostTiles: null,
};
const sides = [1, 2, 3, 4, 5, 6];
const onevision: AnyresConfig = {
  pinpoints: sides.flatMap((a) => sides.map((b) => [384 * a, 384 * b] as const)),
  tileSize: 384,
  mostTiles: 9,
};

describe('planAnyres', () => {
  it.each([
    [899, 1024, [672, 672], [42, 48], 2634],
    [480, 640, [672, 672], [36, 48], 2340],
    [720, 1280, [672, 672], [28, 48], 1948],
    [300, 300, [336, 672], [24, 24], 1176],
    [1000, 300, [1008, 336], [72, 22], 2232],
  ])(
    'gives LLaVA-NeXT the tokens of a picture of %i x %i as published',
    (height, width, resolution, map, tokens) => {
      expect(planAnyres({ width, height }, next, [24, 24])).toMatchObject({ resolution, map, tokens });
    },
  );

  it.each([
    [480, 640, [768, 768], [40, 54], 2929],
    [899, 1024, [1152, 1152], [71, 81], 6551],
    [720, 1280, [768, 1536], [54, 96], 5967],
    [2304, 2304, [2304, 2304], [81, 81], 7371],
  ])(
    'gives LLaVA-OneVision the tokens of a picture of %i x %i as published',
    (height, width, resolution, map, tokens) => {
      expect(planAnyres({ width, height }, onevision, [27, 27])).toMatchObject({ resolution, map, tokens });
    },
  );

  it.each([
    [1537, 1537],
    [1681, 1680],
    [1920, 1920],
  ])('shrinks the features of %i x %i pixels by the floor of the exact quotient', (width, height) => {
    expect(planAnyres({ width, height }, onevision, [27, 27])).toMatchObject({ map: [80, 80], tokens: 7209 });
  });

  it.each([
    [4000, 1, [0, 48], 576],
    [1, 4000, [24, 0], 576 + 24],
    [700, 13, [2, 72], 576 + 2 * 73],
  ])(
    'keeps the whole of a picture of %i x %i, and what is left of its tiles',
    (width, height, map, tokens) => {
      expect(planAnyres({ width, height }, next, [24, 24])).toMatchObject({ map, tokens });
    },
  );

  it('sees pictures of a conversation of several as a whole, if that is the rule', () => {
    const rule = { ...onevision, wholeIfSeveral: true };
    const whole = { resolution: null, tiles: [0, 0], map: [0, 0], tokens: 27 * 27 + 1 };
    for (const total of [2, 3, 9])
      expect(planAnyres({ width: 900, height: 500 }, rule, [27, 27], total)).toMatchObject(whole);
    for (const [config, total] of [
      [rule, 1],
      [onevision, 2],
      [next, 5],
    ] as const)
      expect(planAnyres({ width: 900, height: 500 }, config, [27, 27], total).resolution).not.toBeNull();
  });

  const golden = JSON.parse(
    readFileSync(new URL('./__fixtures__/sizes.json', import.meta.url), 'utf8'),
  ) as readonly GoldenSizes[];
  for (const one of golden) {
    const [config, grid] =
      one.name === 'llava-next' ? [next, [24, 24] as const] : [onevision, [27, 27] as const];
    testGoldenSizes(one, (size) => {
      const { tiles, map, tokens } = planAnyres(size, config, grid);
      return [...tiles, ...map, tokens];
    });
  }
});

const small: AnyresConfig = {
  pinpoints: [
    [4, 8],
    [8, 4],
    [8, 8],
  ],
  tileSize: 4,
  mostTiles: null,
};
const shrinking: AnyresConfig = { ...small, mostTiles: 1 };
const context = { textSize: 3, grid: [2, 2] } as const;

const sizesOf = (...sizes: readonly (readonly [number, number])[]): TensorData => ({
  dtype: 'int64',
  shape: [sizes.length, 2],
  data: BigInt64Array.from(sizes.flat(), BigInt),
});
const views = (...shape: readonly number[]): TensorData => {
  const elements = shape.reduce((product, side) => product * side, 1);
  const perView = shape.slice(-3).reduce((product, side) => product * side, 1);
  return {
    dtype: 'float32',
    shape,
    data: Float32Array.from({ length: elements }, (_, i) => Math.floor(i / perView)),
  };
};

describe('anyresArranger', () => {
  const traced = (config: AnyresConfig) => {
    const model = { arranger: anyresArranger(config)(context) };
    const types = { rows: { dtype: 'float32', shape: ['rows', 3] }, ...model.arranger.inputs } as const;
    return { model, types };
  };

  for (const [name, config] of [
    ['that keeps all features', small],
    ['that shrinks', shrinking],
  ] as const)
    describe(name, () => {
      const { model, types } = traced(config);
      const { row_index, row_weights } = model.arranger.prepare({
        pixel_values: views(5, 1, 1, 1),
        image_sizes: sizesOf([7, 8]),
      })!;
      testComputation(() => ({
        model,
        trace: ({ arranger }) =>
          trace({ arranger }, types, ({ rows, ...inputs }) => ({ embeds: arranger.arrange(rows!, inputs) })),
        feeds: { rows: randomTensor([20, 3], 3), ...feedsOf({ row_index, row_weights }) },
        output: 'embeds',
      }));
    });

  testSource(() => traced(small).model.arranger);

  it('learns one newline, at the root of its path', () => {
    expect(
      [...namedParameters(traced(small).model.arranger)].map(([path, { shape }]) => [path, shape]),
    ).toEqual([['image_newline', [3]]]);
  });

  it('reads the whole first, then the tiles as one picture, with a newline after each row', () => {
    const { row_index } = traced(small).model.arranger.prepare({
      pixel_values: views(3, 1, 1, 1),
      image_sizes: sizesOf([4, 8]),
    })!;
    expect(Array.from(row_index!.data as BigInt64Array, Number)).toEqual([
      1, 2, 3, 4, 5, 6, 9, 10, 0, 7, 8, 11, 12, 0,
    ]);
  });

  it('leaves the features of borders out', () => {
    const { row_index } = traced(small).model.arranger.prepare({
      pixel_values: views(3, 1, 1, 1),
      image_sizes: sizesOf([8, 4]),
    })!;
    const tall = traced({ ...small, pinpoints: [[8, 8]] }).model.arranger.prepare({
      pixel_values: views(5, 1, 1, 1),
      image_sizes: sizesOf([8, 4]),
    })!;
    expect(row_index!.shape).toEqual([4 + 4 * 3]);
    expect(Array.from(tall['row_index']!.data as BigInt64Array, Number)).toEqual([
      1, 2, 3, 4, 6, 9, 0, 8, 11, 0, 14, 17, 0, 16, 19, 0,
    ]);
  });

  it('takes views that fill up a batch away, and counts on from picture to picture', () => {
    const { row_index, pixel_values } = traced(small).model.arranger.prepare({
      pixel_values: views(2, 5, 1, 1, 1),
      image_sizes: sizesOf([4, 8], [8, 8]),
    })!;
    expect([...(pixel_values!.data as Float32Array)]).toEqual([0, 1, 2, 5, 6, 7, 8, 9]);
    expect(Number(row_index!.data[14])).toBe(13);
  });

  it('makes pictures that share a sample single views, each with a newline', () => {
    const batch_num_images: TensorData = { dtype: 'int64', shape: [1], data: BigInt64Array.from([2n]) };
    const { row_index, row_weights } = traced(shrinking).model.arranger.prepare({
      pixel_values: views(2, 1, 1, 1, 1),
      image_sizes: sizesOf([4, 8], [8, 8]),
      batch_num_images,
    })!;
    expect(Array.from(row_index!.data as BigInt64Array, Number)).toEqual([1, 2, 3, 4, 0, 5, 6, 7, 8, 0]);
    expect(new Set(row_weights!.data as Float32Array)).toEqual(new Set([1]));
  });

  it('makes pictures single views that are not patched, whatever their number', () => {
    const need_patching: TensorData = { dtype: 'int64', shape: [2], data: BigInt64Array.from([0n, 1n]) };
    const { row_index, pixel_values } = traced(small).model.arranger.prepare({
      pixel_values: views(4, 1, 1, 1),
      image_sizes: sizesOf([8, 8], [4, 8]),
      need_patching,
    })!;
    expect(pixel_values!.shape).toEqual([4, 1, 1, 1]);
    expect(Array.from(row_index!.data as BigInt64Array, Number)).toEqual([
      1, 2, 3, 4, 0, 5, 6, 7, 8, 9, 10, 13, 14, 0, 11, 12, 15, 16, 0,
    ]);
    expect(() =>
      traced(small).model.arranger.prepare({
        pixel_values: views(4, 1, 1, 1),
        image_sizes: sizesOf([8, 8]),
        need_patching,
      }),
    ).toThrow(/need_patching has 2 pictures, but image_sizes has 1/);
  });

  it('blends neighbours where a picture has too many features, with weights that add up to one', () => {
    const { row_index, row_weights } = traced(shrinking).model.arranger.prepare({
      pixel_values: views(5, 1, 1, 1),
      image_sizes: sizesOf([8, 8]),
    })!;
    expect(row_index!.shape).toEqual([4 + 2 * 3, 4]);
    const weights = row_weights!.data as Float32Array;
    expect(Array.from(weights.subarray(4 * 4, 5 * 4))).toEqual([0.25, 0.25, 0.25, 0.25]);
    for (let token = 0; token < 10; token++)
      expect(weights.subarray(token * 4, token * 4 + 4).reduce((sum, one) => sum + one)).toBeCloseTo(1, 6);
  });

  it('refuses views that do not fit the sizes, and a part of the tensors', () => {
    const { arranger } = traced(small).model;
    expect(() => arranger.prepare({ pixel_values: views(4, 1, 1, 1), image_sizes: sizesOf([8, 8]) })).toThrow(
      /pixel_values is \[4, 1, 1, 1\], but the image_sizes ask for 5 views/,
    );
    expect(() => arranger.prepare({ pixel_values: views(4, 1, 1, 1) })).toThrow(/image_sizes is missing/);
    expect(arranger.prepare({})).toBeUndefined();
  });

  it('refuses resolutions that are not in whole tiles, and encoders without a square grid', () => {
    expect(() => anyresArranger({ ...small, pinpoints: [[4, 6]] })).toThrow(ConfigError);
    expect(() => anyresArranger({ ...small, pinpoints: [] })).toThrow(/no resolution/);
    expect(() => anyresArranger(small)({ textSize: 3, grid: null })).toThrow(/no fixed grid/);
  });
});

const feedsOf = (tensors: Readonly<Record<string, TensorData | undefined>>) =>
  Object.fromEntries(
    Object.entries(tensors).flatMap(([name, tensor]) =>
      tensor ? [[name, { shape: tensor.shape, data: Array.from(tensor.data as Float32Array, Number) }]] : [],
    ),
  );

testDefinition(anyresPart, {
  configs: [small, shrinking, { ...shrinking, wholeIfSeveral: true }],
  context,
});
