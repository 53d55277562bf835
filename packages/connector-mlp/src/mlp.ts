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
}

const source: Source = {
  paper: 'https://arxiv.org/abs/2310.03744',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/llava/modeling_llava.py',
};

/** Two linear layers with an activation between, of LLaVA-1.5; names `linear_1`, `linear_2`. One token per patch. */
export function mlpConnector({
  hiddenAct = 'gelu',
  bias = true,
}: MlpConnectorOptions = {}): ConnectorFactory {
  const act = activation(hiddenAct);
  return ({ visionSize, textSize }) =>
    module(
      'MlpConnector',
      { linear_1: linear(visionSize, textSize, { bias }), linear_2: linear(textSize, textSize, { bias }) },
      {
        connect: (m, { hiddenStates }: ImageFeatures) =>
          reshape(m.linear_2(act(m.linear_1(hiddenStates))), [-1, textSize]),
      },
      {
        facts: () => ({
          id: 'connector-mlp',
          source,
          config: { hiddenAct, bias },
          countTokens: ([rows, columns]: PatchGrid) => rows * columns,
        }),
      },
    );
}

/** LLaVA-1.5's connector, by its name. */
export const mlpPart: PartDefinition<'connector', MlpConnectorOptions> = {
  id: 'connector-mlp',
  kind: 'connector',
  create: (config) => mlpConnector(checkConfig(mlpPart, config)),
  fields: { hiddenAct: { optional: 'activation' }, bias: { optional: 'flag' } },
  presets: {},
  source,
};
