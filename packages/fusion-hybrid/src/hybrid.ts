import { placeAtToken } from '@weft/graph';
import { usualUnseen, visionContext, withCrossAttention, type CrossAttentionOptions } from '@weft/nn';
import { checkConfig, type Fusion, type PartDefinition, type Source, type TextInputs } from '@weft/spec';

export interface HybridFusionOptions extends CrossAttentionOptions {
  /**
   * Which of the pictures before a token its cross-attention sees: those of the `last` group, pictures with no text
   * between them, or `all`. Default `all`, as their thumbnails stay among the tokens too.
   */
  readonly visibility?: 'last' | 'all' | undefined;
}

const source: Source = {
  paper: 'https://arxiv.org/abs/2409.11402',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/mllama/modeling_mllama.py',
};

/**
 * Method H: a thumbnail of the image stands among the tokens, so that the whole language model thinks about it, and
 * gated cross-attention layers look up details in the image's tiles, which lengthen nothing. Until the layers are
 * trained the model is the language model with thumbnails.
 *
 * @param options places of the layers (`at` or `every`), their names and sizes
 */
export function hybrid(options: HybridFusionOptions): Fusion {
  const { visibility = 'all', ...layers } = checkConfig(hybridPart, options);
  return {
    id: 'fusion-hybrid',
    source,
    config: { ...options },
    method: 'H',
    visibility,
    unseen: layers.unseen ?? usualUnseen,
    attach: (backbone) => withCrossAttention(backbone, layers, 'fusion-hybrid'),
    join: ({ hiddenStates, placed, seen }: TextInputs) => ({
      hiddenStates: placed ? placeAtToken(hiddenStates, placed.positions, placed.embeds) : hiddenStates,
      ...(seen ? { vision: visionContext(seen) } : {}),
    }),
  };
}

/** Method H, by its name. */
export const hybridPart: PartDefinition<'fusion', HybridFusionOptions> = {
  id: 'fusion-hybrid',
  kind: 'fusion',
  create: hybrid,
  fields: {
    visibility: { optional: { oneOf: ['last', 'all'] } },
    at: { optional: { list: 'amount' } },
    every: { optional: 'count' },
    naming: { optional: { oneOf: ['separate', 'merged'] } },
    numAttentionHeads: { optional: 'count' },
    numKeyValueHeads: { optional: 'count' },
    headDim: { optional: 'count' },
    eps: { optional: 'positive' },
    unseen: { optional: { oneOf: ['attention-and-mlp', 'mlp'] } },
    hiddenSize: { optional: 'count' },
    intermediateSize: { optional: 'count' },
    hiddenAct: { optional: 'activation' },
  },
  presets: {},
  source,
};
