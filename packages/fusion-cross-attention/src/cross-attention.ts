import { ConfigError } from '@weft/errors';
import { usualUnseen, visionContext, withCrossAttention, type CrossAttentionOptions } from '@weft/nn';
import { checkConfig, type Fusion, type PartDefinition, type Source, type TextInputs } from '@weft/spec';

export interface CrossAttentionFusionOptions extends CrossAttentionOptions {
  /**
   * Which of the pictures before a token it sees: those of the `last` group, pictures with no text between them
   * (Flamingo, Llama 3.2 Vision), or `all`. Default `last`.
   */
  readonly visibility?: 'last' | 'all' | undefined;
}

const source: Source = {
  paper: 'https://arxiv.org/abs/2204.14198',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/mllama/modeling_mllama.py',
};

/**
 * Method B: gated cross-attention layers between those of the language model attend to the images, whose embeddings
 * never stand among the tokens. Until the layers are trained, and without images, the model is the language model.
 *
 * @param options places of the layers (`at` or `every`), their names and sizes
 */
export function crossAttention(options: CrossAttentionFusionOptions): Fusion {
  const { visibility = 'last', ...layers } = checkConfig(crossAttentionPart, options);
  return {
    id: 'fusion-cross-attention',
    source,
    config: { ...options },
    method: 'B',
    visibility,
    unseen: layers.unseen ?? usualUnseen,
    attach: (backbone) => withCrossAttention(backbone, layers, 'fusion-cross-attention'),
    join: ({ hiddenStates, placed, seen }: TextInputs) => {
      if (placed)
        throw new ConfigError({
          message:
            'Image embeddings were placed among the tokens, but this fusion attends to them by cross-attention.',
          where: 'fusion-cross-attention',
          hint: 'Use unifiedFusion or hybrid.',
        });
      return seen ? { hiddenStates, vision: visionContext(seen) } : { hiddenStates };
    },
  };
}

/** Method B, by its name. */
export const crossAttentionPart: PartDefinition<'fusion', CrossAttentionFusionOptions> = {
  id: 'fusion-cross-attention',
  kind: 'fusion',
  create: crossAttention,
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
