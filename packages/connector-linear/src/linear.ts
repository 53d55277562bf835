import { module, reshape } from '@weft/graph';
import { linear } from '@weft/nn';
import {
  checkConfig,
  type ConnectorFactory,
  type ImageFeatures,
  type PatchGrid,
  type PartDefinition,
  type Source,
} from '@weft/spec';

export interface LinearConnectorOptions {
  readonly bias?: boolean;
}

const source: Source = {
  paper: 'https://arxiv.org/abs/2304.08485',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/fuyu/modeling_fuyu.py',
};

/** One linear layer, of the first LLaVA, Fuyu and Llama 3.2 Vision; names `weight`, `bias`. */
export function linearConnector(options: LinearConnectorOptions = {}): ConnectorFactory {
  const { bias = true } = checkConfig(linearPart, options);
  return ({ visionSize, textSize }) => {
    const projection = linear(visionSize, textSize, { bias });
    return module(
      'LinearConnector',
      { projection },
      {
        connect: (m, { hiddenStates }: ImageFeatures) => reshape(m.projection(hiddenStates), [-1, textSize]),
      },
      {
        paths: { projection: '' },
        facts: () => ({
          id: 'connector-linear',
          source,
          config: { bias },
          countTokens: ([rows, columns]: PatchGrid) => rows * columns,
        }),
      },
    );
  };
}

/** One linear layer, by its name. */
export const linearPart: PartDefinition<'connector', LinearConnectorOptions> = {
  id: 'connector-linear',
  kind: 'connector',
  create: (config) => linearConnector(config),
  fields: { bias: { optional: 'flag' } },
  presets: {},
  source,
};
