import { ShapeError } from '@weft/errors';
import { conv, module, Parameter, reshape, transpose, type AnyModule, type Value } from '@weft/graph';
import { activation, linear, type ActivationName } from '@weft/nn';
import {
  checkConfig,
  type ConnectorFactory,
  type ImageFeatures,
  type PatchGrid,
  type PartDefinition,
  type Source,
} from '@weft/spec';

export interface ConvPoolOptions {
  /** Side of the squares of patches that become one token. */
  readonly kernelSize?: number;
  /**
   * Which sides of a grid that squares do not fill are filled up with zeros, at the right or the bottom; what fills no
   * square of the others is left out. `none` unless given.
   */
  readonly fill?: 'none' | 'columns' | 'both';
  /** Name as in `config.json`. */
  readonly hiddenAct?: ActivationName;
}

/** No code of the model is published; the link is to the convolution. */
const source: Source = {
  paper: 'https://arxiv.org/abs/2410.08565',
  code: 'https://github.com/pytorch/pytorch/blob/v2.13.0/torch/nn/modules/conv.py',
};

/**
 * A convolution whose stride is its kernel makes one feature of each square of patches, and two linear layers bring it to
 * the width of the text: as far as its report tells, the connector of Baichuan-Omni. A convolution of equal weights is the
 * mean of the square.
 *
 * @throws ShapeError if the encoder has no fixed grid, or the kernel is larger than it
 */
export function convPoolConnector(options: ConvPoolOptions = {}): ConnectorFactory {
  const { kernelSize: k = 2, fill = 'none', hiddenAct = 'gelu' } = checkConfig(convPoolPart, options);
  const act = activation(hiddenAct);
  const squaresOf = ([rows, columns]: PatchGrid): PatchGrid => {
    const count = (side: number, isFilled: boolean): number => (isFilled ? Math.ceil : Math.floor)(side / k);
    return [count(rows, fill === 'both'), count(columns, fill !== 'none')];
  };
  return ({ visionSize, textSize, grid }) => {
    if (!grid)
      throw new ShapeError({
        message: 'Pooling by convolution needs features with a fixed grid, which the encoder does not have.',
        hint: 'Give the encoder an image size, or choose a connector for pictures of any size.',
      });
    const [high, wide] = squaresOf(grid);
    if (high * wide === 0)
      throw new ShapeError({
        message: `A grid of ${grid[0]} x ${grid[1]} patches has no square of ${k} x ${k}.`,
        hint: "Choose a smaller kernelSize, or fill: 'both'.",
      });
    return module(
      'ConvPool',
      {
        conv: squareConv(visionSize, k),
        linear_1: linear(visionSize, textSize),
        linear_2: linear(textSize, textSize),
      },
      {
        connect: (m, { hiddenStates }: ImageFeatures): Value => {
          const [rows, columns] = grid;
          const tiles = hiddenStates.shape[0]!;
          const picture = transpose(reshape(hiddenStates, [tiles, rows, columns, visionSize]), [0, 3, 1, 2]);
          const [bottom, right] = [Math.max(0, high * k - rows), Math.max(0, wide * k - columns)];
          const pooled = transpose(m.conv(picture, [0, 0, bottom, right]), [0, 2, 3, 1]);
          return reshape(m.linear_2(act(m.linear_1(pooled))), [-1, textSize]);
        },
      },
      {
        facts: () => ({
          id: 'connector-conv-pool',
          source,
          config: { kernelSize: k, fill, hiddenAct },
          countTokens: (own: PatchGrid) => squaresOf(own).reduce((product, side) => product * side, 1),
        }),
      },
    );
  };
}

type Sides = readonly [top: number, left: number, bottom: number, right: number];

/** `[T, C, height, width]` with padding of zeros to one column of channels for each square. */
const squareConv = (size: number, kernel: number): AnyModule & ((x: Value, padding: Sides) => Value) =>
  module(
    'SquareConv',
    {
      weight: new Parameter([size, size, kernel, kernel]),
      bias: new Parameter([size], { kind: 'zeros' }),
    },
    (m, x: Value, padding: Sides) => conv(x, m.weight, m.bias, { stride: kernel, padding }),
  );

/** Pooling by convolution, by its name. */
export const convPoolPart: PartDefinition<'connector', ConvPoolOptions> = {
  id: 'connector-conv-pool',
  kind: 'connector',
  create: (config) => convPoolConnector(config),
  fields: {
    kernelSize: { optional: 'count' },
    fill: { optional: { oneOf: ['none', 'columns', 'both'] } },
    hiddenAct: { optional: 'activation' },
  },
  presets: {},
  source,
};
