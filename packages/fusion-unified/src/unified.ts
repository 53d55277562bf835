import { placeAtToken } from '@weft/graph';
import { checkConfig, type Fusion, type PartDefinition, type Source, type TextInputs } from '@weft/spec';

export interface UnifiedFusionOptions {
  /** `replace` overwrites the placeholder's embedding (LLaVA, Qwen2-VL, …); `add` adds to it (Molmo). */
  readonly mode?: 'replace' | 'add';
}

const source: Source = {
  paper: 'https://arxiv.org/abs/2304.08485',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/llava/modeling_llava.py',
};

/** Method A: image embeddings stand among the token embeddings, and the decoder is an ordinary one. */
export function unifiedFusion(options: UnifiedFusionOptions = {}): Fusion {
  const { mode = 'replace' } = checkConfig(unifiedPart, options);
  return {
    id: 'fusion-unified',
    source,
    config: { mode },
    method: 'A',
    attach: (backbone) => ({ backbone, added: [] }),
    join: ({ hiddenStates, placed }: TextInputs) => ({
      hiddenStates: placed ? placeAtToken(hiddenStates, placed.positions, placed.embeds, mode) : hiddenStates,
    }),
  };
}

/** Method A, by its name. */
export const unifiedPart: PartDefinition<'fusion', UnifiedFusionOptions> = {
  id: 'fusion-unified',
  kind: 'fusion',
  create: unifiedFusion,
  fields: { mode: { optional: { oneOf: ['replace', 'add'] } } },
  presets: {},
  source,
};
