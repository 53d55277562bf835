import { multiplyDims, trace } from '@weft/graph';
import type { Connector, ConnectorContext, ConnectorFactory } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import {
  expectShapeError,
  testComputation,
  testPublished,
  testSource,
  type PublishedChecks,
} from './conformance.js';
import { shapesOf } from './golden.js';
import { randomTensor } from './random.js';
import type { Tensor } from './tensor.js';
import { testVariants } from './variants.js';

export interface ConnectorChecks extends PublishedChecks<Connector> {
  readonly tiny: ConnectorFactory;
  /** Widths and grid of the tiny connector. The grid must be given. */
  readonly context: ConnectorContext & { readonly grid: readonly [number, number] };
  /** Names and shapes of its parameters as published, such as `{ 'linear_1.weight': [7, 5] }`. */
  readonly names: Readonly<Record<string, readonly number[]>>;
  /** Of a connector with graph inputs of its own: their values, for two tiles. */
  readonly feeds?: Readonly<Record<string, Tensor>>;
  /** The tiny one with other options; every option must be among them. */
  readonly variants?: Readonly<Record<string, ConnectorFactory>>;
}

/** What every connector must do; call it in a test file of the connector's package. */
export function testConnector({
  tiny,
  context,
  names,
  feeds = {},
  variants,
  ...published
}: ConnectorChecks): void {
  describe('as a connector', () => {
    const { visionSize, textSize, grid } = context;
    const [rows, columns] = grid;
    const embeds = (connector: Connector, size = visionSize) =>
      trace(
        { connector },
        { features: { dtype: 'float32', shape: ['tiles', rows * columns, size] }, ...connector.inputs },
        ({ features, ...inputs }) => ({
          embeds: connector.connect({ hiddenStates: features!, grid }, inputs),
        }),
      );

    it('gives as many rows as countTokens says, as wide as the text', () => {
      const connector = tiny(context);
      const tokens = connector.countTokens(grid);
      expect(tokens).toBeGreaterThan(0);
      expect(embeds(connector).outputs['embeds']).toMatchObject({
        dtype: 'float32',
        shape: [multiplyDims('tiles', tokens), textSize],
      });
    });

    it('has the parameters of the published checkpoints', () => {
      const expected = Object.fromEntries(
        Object.entries(names).map(([path, shape]) => [path, shape.join(' x ')]),
      );
      expect(shapesOf(tiny(context))).toEqual(expected);
    });

    const computation = (connector: Connector) => ({
      model: { connector },
      trace: () => embeds(connector),
      feeds: {
        features: randomTensor([2, rows * columns, visionSize], 30),
        ...Object.fromEntries(Object.entries(feeds).filter(([name]) => name in (connector.inputs ?? {}))),
      },
      output: 'embeds',
    });
    testComputation(() => ({
      ...computation(tiny(context)),
      trace: ({ connector }) => embeds(connector),
    }));
    if (variants)
      testVariants({
        tiny: () => tiny(context),
        variants: Object.fromEntries(
          Object.entries(variants).map(([name, create]) => [name, () => create(context)]),
        ),
        computation,
      });

    it('refuses features of another width, and says where', () => {
      expectShapeError(() => embeds(tiny(context), visionSize + 1), /\n {2}at connector/);
    });

    testSource(() => tiny(context));
    testPublished(published);
  });
}
