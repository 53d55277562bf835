import { trace, type TensorType } from '@weft/graph';
import type { VisionEncoder } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import {
  expectShapeError,
  testComputation,
  testPublished,
  testSource,
  type PublishedChecks,
  type Unread,
} from './conformance.js';
import { randomTensor } from './random.js';
import type { Tensors } from './tensor.js';
import { testVariants, type Variants } from './variants.js';

export interface VisionEncoderChecks extends PublishedChecks<VisionEncoder> {
  /** A small encoder, of odd sizes. */
  readonly tiny: () => VisionEncoder;
  /** Values of the symbolic sizes of its inputs. Default 2 tiles of 3 patches. */
  readonly symbols?: Readonly<Record<string, number>>;
  /** Values of its inputs, where random numbers will not do. */
  readonly feeds?: Tensors;
  /** Sizes of its features' first two axes, at free resolution. Default `tiles` and `patches`. */
  readonly axes?: readonly [tiles: string, patches: string];
  /** The tiny one with other options; every option must be among them. */
  readonly variants?: Variants<VisionEncoder>;
  readonly unread?: Unread;
}

/** What every vision encoder must do; call it in a test file of the encoder's package. */
export function testVisionEncoder({
  tiny,
  symbols = { tiles: 2, patches: 3 },
  feeds: given,
  axes = ['tiles', 'patches'],
  variants,
  unread,
  ...published
}: VisionEncoderChecks): void {
  describe('as a vision encoder', () => {
    const features = (encoder: VisionEncoder, types: Readonly<Record<string, TensorType>> = encoder.inputs) =>
      trace({ encoder }, types, (inputs) => ({ features: encoder.encode(inputs).hiddenStates }));

    it('gives one row of hiddenSize channels for each cell of the grid that it declares', () => {
      const encoder = tiny();
      let grid: VisionEncoder['grid'] | undefined;
      const graph = trace({ encoder }, encoder.inputs, (inputs) => {
        const encoded = encoder.encode(inputs);
        grid = encoded.grid;
        return { features: encoded.hiddenStates };
      });
      expect(grid).toEqual(encoder.grid);
      const patches = encoder.grid ? encoder.grid[0] * encoder.grid[1] : axes[1];
      expect(graph.outputs['features']).toMatchObject({
        dtype: 'float32',
        shape: [axes[0], patches, encoder.hiddenSize],
      });
    });

    it('declares the inputs that it reads', () => {
      const encoder = tiny();
      expect([...features(encoder).inputs.keys()].toSorted()).toEqual(Object.keys(encoder.inputs).toSorted());
    });

    const computation = (encoder: VisionEncoder) => {
      const feeds: Tensors = Object.fromEntries(
        Object.entries(encoder.inputs).map(([name, { shape }], i) => [
          name,
          given?.[name] ??
            randomTensor(
              shape.map((dim) => (typeof dim === 'number' ? dim : symbols[dim]!)),
              20 + i,
            ),
        ]),
      );
      return { model: { encoder }, trace: () => features(encoder), feeds, output: 'features', unread };
    };
    testComputation(() => ({ ...computation(tiny()), trace: ({ encoder }) => features(encoder) }));
    if (variants) testVariants({ tiny, variants, computation });

    it('refuses pictures of other sizes and channels, and says where', () => {
      const encoder = tiny();
      for (const [name, { dtype, shape }] of Object.entries(encoder.inputs))
        for (const axis of shape.keys()) {
          if (typeof shape[axis] !== 'number') continue;
          const wrong = shape.map((dim, i) => (i === axis ? Number(dim) * 2 + 1 : dim));
          expectShapeError(
            () => features(encoder, { ...encoder.inputs, [name]: { dtype, shape: wrong } }),
            /\n {2}at encoder/,
          );
        }
    });

    testSource(tiny);
    testPublished(published);
  });
}
