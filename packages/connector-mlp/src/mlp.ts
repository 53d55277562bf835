import { ConfigError } from '@weft/errors';
import { module, reshape } from '@weft/graph';
import { activation, linear, type ActivationName } from '@weft/nn';
import {
  checkConfig,
  type ConnectorFactory,
  type ImageFeatures,
  type PatchGrid,
  type PartDefinition,
  type Source,
} from '@weft/spec';

export interface MlpConnectorOptions {
  /** Name as in `config.json`; LLaVA's `projector_hidden_act`. */
  readonly hiddenAct?: ActivationName;
  readonly bias?: boolean;
  /** Linear layers, at least 1; 2 unless given. */
  readonly depth?: number;
}

const source: Source = {
  paper: 'https://arxiv.org/abs/2310.03744',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/llava/modeling_llava.py',
};

/**
 * Two linear layers with an activation between, of LLaVA-1.5, or another number of them; names `linear_1`, `linear_2` and so
 * on. One token per patch.
 *
 * @throws ConfigError if there is no layer
 */
export function mlpConnector(options: MlpConnectorOptions = {}): ConnectorFactory {
  const { hiddenAct = 'gelu', bias = true, depth = 2 } = checkConfig(mlpPart, options);
  if (depth === 0)
    throw new ConfigError({
      message: 'A connector of 0 linear layers was asked for.',
      hint: 'depth is a whole number of at least 1.',
    });
  const act = activation(hiddenAct);
  const names = Array.from({ length: depth }, (_, i) => `linear_${i + 1}`);
  return ({ visionSize, textSize }) =>
    module(
      'MlpConnector',
      Object.fromEntries(
        names.map((name, i) => [name, linear(i === 0 ? visionSize : textSize, textSize, { bias })]),
      ),
      {
        connect: (m, { hiddenStates }: ImageFeatures) =>
          reshape(
            names.slice(1).reduce((x, name) => m[name]!(act(x)), m[names[0]!]!(hiddenStates)),
            [-1, textSize],
          ),
      },
      {
        facts: () => ({
          id: 'connector-mlp',
          source,
          config: { hiddenAct, bias, ...(depth === 2 ? {} : { depth }) },
          countTokens: ([rows, columns]: PatchGrid) => rows * columns,
        }),
      },
    );
}

/** LLaVA-1.5's connector, by its name. */
export const mlpPart: PartDefinition<'connector', MlpConnectorOptions> = {
  id: 'connector-mlp',
  kind: 'connector',
  create: (config) => mlpConnector(config),
  fields: {
    hiddenAct: { optional: 'activation' },
    bias: { optional: 'flag' },
    depth: { optional: 'layers' },
  },
  presets: {},
  source,
};
