import { ShapeError } from '@weft/errors';
import { module, reshape, transpose, type Value } from '@weft/graph';
import { linear } from '@weft/nn';
import {
  checkConfig,
  type ConnectorFactory,
  type ImageFeatures,
  type PatchGrid,
  type PartDefinition,
  type Source,
} from '@weft/spec';

export interface PixelShuffleOptions {
  /** Side of the blocks of patches that become one token. */
  readonly scaleFactor: number;
}

/** Of published models; blocks of two by two first. */
export const pixelShufflePresets = {
  idefics3: { scaleFactor: 2 },
  smolvlm: { scaleFactor: 3 },
  'smolvlm-256m': { scaleFactor: 4 },
} as const satisfies Record<string, PixelShuffleOptions>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2504.05299',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/idefics3/modeling_idefics3.py',
};

/**
 * Joins each block of `scaleFactor × scaleFactor` neighbouring patches into one vector, then projects it, of
 * Idefics3 and SmolVLM; name `modality_projection.proj`.
 */
export function pixelShuffleConnector(options: PixelShuffleOptions): ConnectorFactory {
  const { scaleFactor } = checkConfig(pixelShufflePart, options);
  return ({ visionSize, textSize, grid }) => {
    if (grid) blocksOf(grid, scaleFactor);
    return module(
      'PixelShuffleConnector',
      { modality_projection: { proj: linear(visionSize * scaleFactor ** 2, textSize, { bias: false }) } },
      {
        connect: (m, { hiddenStates, grid: given }: ImageFeatures) =>
          reshape(m.modality_projection.proj(pixelShuffle(hiddenStates, given, scaleFactor)), [-1, textSize]),
      },
      {
        facts: () => ({
          id: 'connector-pixel-shuffle',
          source,
          config: { scaleFactor },
          countTokens: (own: PatchGrid) => blocksOf(own, scaleFactor),
        }),
      },
    );
  };
}

/**
 * Blocks of a grid.
 *
 * @throws ShapeError if the factor does not divide its sides
 */
export function blocksOf([rows, columns]: PatchGrid, scaleFactor: number): number {
  if (rows % scaleFactor !== 0 || columns % scaleFactor !== 0)
    throw new ShapeError({
      message: `Pixel shuffle by ${scaleFactor} needs a grid that ${scaleFactor} divides, but the encoder's is ${rows} x ${columns}.`,
      hint: 'Choose another factor, or an image size whose patches per side it divides.',
    });
  return (rows * columns) / scaleFactor ** 2;
}

/**
 * `[T, rows * columns, D]` to `[T, rows * columns / s², D * s²]`, channels ordered (row, column, channel) of a block.
 *
 * @throws ShapeError without a grid
 */
export function pixelShuffle(x: Value, grid: PatchGrid | null, s: number): Value {
  if (!grid) throw new ShapeError('Pixel shuffle needs features with a grid.');
  const [rows, columns] = grid;
  const [tiles, , size] = x.shape as readonly [number, number, number];
  const blocks = transpose(reshape(x, [tiles, rows / s, s, columns / s, s, size]), [0, 1, 3, 2, 4, 5]);
  return reshape(blocks, [tiles, (rows * columns) / s ** 2, size * s ** 2]);
}

/** Pixel shuffle, by its name. */
export const pixelShufflePart: PartDefinition<'connector', PixelShuffleOptions> = {
  id: 'connector-pixel-shuffle',
  kind: 'connector',
  create: (config) => pixelShuffleConnector(config),
  fields: { scaleFactor: 'count' },
  presets: pixelShufflePresets,
  source,
};
