import { ShapeError } from '@weft/errors';
import { countElements, gelu, module, reshape, transpose, type Value } from '@weft/graph';
import { layerNorm, linear, rmsNorm } from '@weft/nn';
import {
  checkConfig,
  type ConnectorFactory,
  type ImageFeatures,
  type PatchGrid,
  type PartDefinition,
  type Source,
} from '@weft/spec';

export interface PatchMergerOptions {
  /** Patches of a square of this side become one token. */
  readonly mergeSize: number;
  /** `layer` in Qwen2-VL, `rms` in Qwen2.5-VL. */
  readonly norm?: 'layer' | 'rms';
  readonly eps?: number;
}

/** Of the two generations. */
export const patchMergerPresets = {
  'qwen2-vl': { mergeSize: 2, norm: 'layer' },
  'qwen2.5-vl': { mergeSize: 2, norm: 'rms' },
} as const satisfies Record<string, PatchMergerOptions>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2409.12191',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/qwen2_vl/modeling_qwen2_vl.py',
};

/**
 * Norms each patch, joins each block of `mergeSize × mergeSize` neighbours into one vector, then projects it by two
 * linear layers with an erf GELU between, of Qwen2-VL; names `ln_q`, `mlp.0`, `mlp.2`.
 */
export function patchMergerConnector(options: PatchMergerOptions): ConnectorFactory {
  const { mergeSize, norm = 'layer', eps = 1e-6 } = checkConfig(patchMergerPart, options);
  return ({ visionSize, textSize, grid }) => {
    const joined = visionSize * mergeSize ** 2;
    const countTokens = ([rows, columns]: PatchGrid) => {
      if (rows % mergeSize !== 0 || columns % mergeSize !== 0)
        throw new ShapeError({
          message: `Merging ${mergeSize} x ${mergeSize} patches needs a grid that ${mergeSize} divides, but the encoder's is ${rows} x ${columns}.`,
          hint: 'Choose another merge size, or an image size whose patches per side it divides.',
        });
      return (rows * columns) / mergeSize ** 2;
    };
    if (grid) countTokens(grid);
    return module(
      'PatchMerger',
      {
        ln_q: (norm === 'rms' ? rmsNorm : layerNorm)(visionSize, eps),
        mlp: { 0: linear(joined, joined), 2: linear(joined, textSize) },
      },
      {
        connect: ({ ln_q, mlp }, features: ImageFeatures) => {
          const blocks = inBlocks({ ...features, hiddenStates: ln_q(features.hiddenStates) }, mergeSize);
          const rows = reshape(blocks, [-1, joined]);
          return mlp[2](gelu(mlp[0](rows)));
        },
      },
      {
        facts: () => ({
          id: 'connector-patch-merger',
          source,
          config: { mergeSize, norm, eps },
          countTokens,
        }),
      },
    );
  };
}

/** Patches in such an order that those of a block follow one another. */
function inBlocks({ hiddenStates, grid, blockSize }: ImageFeatures, size: number): Value {
  if (blockSize === size || size === 1) return hiddenStates;
  if (!grid || (blockSize ?? 1) !== 1)
    throw new ShapeError({
      message: `The patch merger joins blocks of ${size} x ${size} patches, but the features come ${blockSize === undefined ? 'without a grid' : `in blocks of ${blockSize}`}.`,
      hint: `Use an encoder whose blocks have a side of ${size}, or one with a grid.`,
    });
  const [rows, columns] = grid;
  const [tiles, , channels] = hiddenStates.shape;
  const cut = reshape(hiddenStates, [tiles!, rows / size, size, columns / size, size, channels!]);
  return reshape(transpose(cut, [0, 1, 3, 2, 4, 5]), [tiles!, countElements(grid), channels!]);
}

/** Qwen2-VL's connector, by its name. */
export const patchMergerPart: PartDefinition<'connector', PatchMergerOptions> = {
  id: 'connector-patch-merger',
  kind: 'connector',
  create: (config) => patchMergerConnector(config),
  fields: {
    mergeSize: 'count',
    norm: { optional: { oneOf: ['layer', 'rms'] } },
    eps: { optional: 'positive' },
  },
  presets: patchMergerPresets,
  source,
};
