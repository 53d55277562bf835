import { ShapeError } from '@weft/errors';
import {
  add,
  and,
  attend,
  cast,
  concat,
  equal,
  less,
  matmul,
  module,
  mul,
  multiplyDims,
  not,
  pad,
  Parameter,
  reduceMean,
  reshape,
  silu,
  transpose,
  type AnyModule,
  type Value,
} from '@weft/graph';
import { linear, mergeHeads, splitHeads } from '@weft/nn';
import {
  checkConfig,
  type ConnectorFactory,
  type ImageFeatures,
  type PatchGrid,
  type PartDefinition,
  type Source,
} from '@weft/spec';

export interface AttentionPoolOptions {
  /** Channels of the pooled features. Molmo has those of one layer of its encoder, 1024. */
  readonly hiddenSize?: number;
  readonly numHeads?: number;
  /** Channels within the gated MLP; four times `hiddenSize` unless given. Molmo takes those of its language model's. */
  readonly intermediateSize?: number;
  /** Rows and columns of patches that become one token. */
  readonly poolSize?: PatchGrid;
  /**
   * Whether patches of borders get learnt vectors: one those wholly on a border, another those that are partly so. The
   * graph then takes `image_masks`. Not unless given.
   */
  readonly padEmbed?: boolean;
}

const source: Source = {
  paper: 'https://arxiv.org/abs/2409.17146',
  code: 'https://github.com/allenai/molmo/blob/793fa387edfd6fd0f5b21eb8e0a7620a1f3799e1/olmo/model.py',
};

/**
 * Molmo's connector. In each window of patches their mean asks and the patches answer, by attention; a gated MLP brings
 * the answer to the width of the text. A grid that windows do not divide is filled up with zeros at the right and the
 * bottom.
 *
 * With `padEmbed` there is a graph input `image_masks` `[tiles, patches]`, the share of each patch that is picture: 0 is
 * wholly border, any other number below 1 partly so.
 *
 * @throws ShapeError if the encoder has no fixed grid, or heads do not divide the channels
 */
export function attentionPoolConnector(options: AttentionPoolOptions = {}): ConnectorFactory {
  const {
    hiddenSize = 1024,
    numHeads = 16,
    poolSize = [2, 2],
    padEmbed = false,
  } = checkConfig(attentionPoolPart, options);
  const { intermediateSize = 4 * hiddenSize } = options;
  const [poolRows, poolColumns] = poolSize;
  if (hiddenSize % numHeads !== 0)
    throw new ShapeError({
      message: `Attention pooling with ${hiddenSize} channels cannot have ${numHeads} heads.`,
      hint: 'hiddenSize must be a multiple of numHeads.',
    });
  const windowsOf = ([rows, columns]: PatchGrid): PatchGrid => [
    Math.ceil(rows / poolRows),
    Math.ceil(columns / poolColumns),
  ];

  return ({ visionSize, textSize, grid }) => {
    if (!grid)
      throw new ShapeError({
        message: 'Attention pooling needs features with a fixed grid, which the encoder does not have.',
        hint: 'Give the encoder an image size, or choose a connector for pictures of any size.',
      });
    const [rows, columns] = grid;
    const [high, wide] = windowsOf(grid);
    const size = poolRows * poolColumns;

    /** `[T, rows * columns, C]` to one window a row, `[T * high * wide, poolRows * poolColumns, C]`. */
    const toWindows = (features: Value): Value => {
      const tiles = features.shape[0]!;
      const square = reshape(features, [tiles, rows, columns, visionSize]);
      const filled = pad(pad(square, 1, 0, high * poolRows - rows), 2, 0, wide * poolColumns - columns);
      const cut = reshape(filled, [tiles, high, poolRows, wide, poolColumns, visionSize]);
      const windows = multiplyDims(tiles, high * wide);
      return reshape(transpose(cut, [0, 1, 3, 2, 4, 5]), [windows, size, visionSize]);
    };

    return module(
      'AttentionPool',
      {
        pad_embed: padEmbed ? new Parameter([2, visionSize], { kind: 'zeros' }) : null,
        image_pooling_2d: {
          wq: linear(visionSize, hiddenSize),
          wk: linear(visionSize, hiddenSize),
          wv: linear(visionSize, hiddenSize),
          wo: linear(hiddenSize, hiddenSize),
        },
        image_projector: gatedProjector(hiddenSize, intermediateSize, textSize),
      },
      {
        connect: (
          { pad_embed, image_pooling_2d: pool, image_projector },
          { hiddenStates }: ImageFeatures,
          { image_masks }: Readonly<Record<string, Value>> = {},
        ): Value => {
          const marked = pad_embed
            ? add(hiddenStates, matmul(borders(image_masks!), pad_embed))
            : hiddenStates;
          const windows = toWindows(marked);
          const heads = (x: Value): Value => splitHeads(x, numHeads);
          const query = pool.wq(reduceMean(windows, [1], true));
          const pooled = attend(heads(query), heads(pool.wk(windows)), heads(pool.wv(windows)));
          return image_projector(reshape(pool.wo(mergeHeads(pooled)), [-1, hiddenSize]));
        },
      },
      {
        facts: () => ({
          id: 'connector-attention-pool',
          source,
          config: { hiddenSize, numHeads, intermediateSize, poolSize, padEmbed },
          ...(padEmbed
            ? { inputs: { image_masks: { dtype: 'float32' as const, shape: ['tiles', rows * columns] } } }
            : {}),
          countTokens: (own: PatchGrid) => {
            const [ownHigh, ownWide] = windowsOf(own);
            return ownHigh * ownWide;
          },
        }),
      },
    );
  };
}

/** Which of the two vectors each patch gets, `[T, P]` to `[T, P, 2]`: wholly border, and partly. */
function borders(masks: Value): Value {
  const isBorder = equal(masks, 0);
  const isPartly = and(less(masks, 1), not(isBorder));
  return concat(
    [isBorder, isPartly].map((one) => reshape(cast(one, 'float32'), [...masks.shape, 1])),
    masks.rank,
  );
}

/** `w2(silu(w1(x)) * w3(x))`. */
const gatedProjector = (
  inSize: number,
  innerSize: number,
  outSize: number,
): AnyModule & ((x: Value) => Value) =>
  module(
    'GatedProjector',
    {
      w1: linear(inSize, innerSize, { bias: false }),
      w2: linear(innerSize, outSize, { bias: false }),
      w3: linear(inSize, innerSize, { bias: false }),
    },
    (m, x: Value) => m.w2(mul(silu(m.w1(x)), m.w3(x))),
  );

/** Molmo's connector, by its name. */
export const attentionPoolPart: PartDefinition<'connector', AttentionPoolOptions> = {
  id: 'connector-attention-pool',
  kind: 'connector',
  create: (config) => attentionPoolConnector(config),
  fields: {
    hiddenSize: { optional: 'count' },
    numHeads: { optional: 'count' },
    intermediateSize: { optional: 'count' },
    poolSize: { optional: { list: 'count', length: 2 } },
    padEmbed: { optional: 'flag' },
  },
  presets: {},
  source,
};
