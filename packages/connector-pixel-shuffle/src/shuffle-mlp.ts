import { module, reshape, type Value } from '@weft/graph';
import { activation, layerNorm, linear, type ActivationName } from '@weft/nn';
import {
  checkConfig,
  type ConnectorFactory,
  type ImageFeatures,
  type PatchGrid,
  type PartDefinition,
  type Source,
} from '@weft/spec';
import { blocksOf, pixelShuffle } from './pixel-shuffle.js';

export interface ShuffleMlpOptions {
  readonly scaleFactor: number;
  /** Width between the two linear layers; that of the text unless given, `null` for one linear layer only. */
  readonly intermediateSize?: number | null;
  readonly bias?: boolean;
  /** Name as in `config.json`. */
  readonly hiddenAct?: ActivationName;
  readonly normEps?: number;
}

/** Of published models. */
export const shuffleMlpPresets = {
  internvl: { scaleFactor: 2 },
} as const satisfies Record<string, ShuffleMlpOptions>;

const source: Source = {
  paper: 'https://arxiv.org/abs/2312.14238',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/internvl/modeling_internvl.py',
};

/**
 * Joins each block of `scaleFactor × scaleFactor` neighbouring patches into one vector, norms it, and projects it by two
 * linear layers, of InternVL and NVLM; names `layer_norm`, `linear_1`, `linear_2`.
 */
export function shuffleMlpConnector(options: ShuffleMlpOptions): ConnectorFactory {
  checkConfig(shuffleMlpPart, options);
  const { scaleFactor, intermediateSize, bias = true, hiddenAct = 'gelu', normEps = 1e-5 } = options;
  const act = activation(hiddenAct);
  return ({ visionSize, textSize, grid }) => {
    if (grid) blocksOf(grid, scaleFactor);
    const joined = visionSize * scaleFactor ** 2;
    const inner = intermediateSize === null ? textSize : (intermediateSize ?? textSize);
    return module(
      'ShuffleMlpConnector',
      {
        layer_norm: layerNorm(joined, normEps),
        linear_1: linear(joined, inner, { bias }),
        linear_2: intermediateSize === null ? null : linear(inner, textSize, { bias }),
      },
      {
        connect: (m, { hiddenStates, grid: given }: ImageFeatures) => {
          const first = m.linear_1(m.layer_norm(pixelShuffle(hiddenStates, given, scaleFactor)));
          const rows: Value = m.linear_2 ? m.linear_2(act(first)) : first;
          return reshape(rows, [-1, textSize]);
        },
      },
      {
        facts: () => ({
          id: 'connector-shuffle-mlp',
          source,
          config: {
            scaleFactor,
            bias,
            hiddenAct,
            normEps,
            ...(intermediateSize === undefined ? {} : { intermediateSize }),
          },
          countTokens: (own: PatchGrid) => blocksOf(own, scaleFactor),
        }),
      },
    );
  };
}

/** InternVL's connector, by its name. */
export const shuffleMlpPart: PartDefinition<'connector', ShuffleMlpOptions> = {
  id: 'connector-shuffle-mlp',
  kind: 'connector',
  create: (config) => shuffleMlpConnector(config),
  fields: {
    scaleFactor: 'count',
    intermediateSize: { optional: { nullable: 'count' } },
    bias: { optional: 'flag' },
    hiddenAct: { optional: 'activation' },
    normEps: { optional: 'positive' },
  },
  presets: shuffleMlpPresets,
  source,
};
