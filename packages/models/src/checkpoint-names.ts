import type { Backbone, CheckpointNames } from '@weft/spec';
import { textNames } from './text.js';

/**
 * The names of the published checkpoints of Llama 3.2 Vision, which are those of its parts, from those and from the ones
 * inside transformers 4.52 and later.
 */
export const mllamaNames = (backbone: Backbone): CheckpointNames => ({
  ...textNames(backbone),
  rename: (name) =>
    name
      .replace(/^model\.(?=vision_model\.|multi_modal_projector\.|language_model\.)/, '')
      .replace(/^lm_head\./, 'language_model.lm_head.')
      .replace(/^language_model\.(?!model\.|lm_head\.)/, 'language_model.model.'),
});

/**
 * The names of the published checkpoints of Qwen2-VL and Qwen2.5-VL, which are those of their parts, from those and from the
 * ones inside transformers 4.52 and later.
 */
export const qwen2VlNames = (backbone: Backbone): CheckpointNames => ({
  ...textNames(backbone),
  rename: (name) => name.replace(/^model\.(?=visual\.)/, '').replace(/^model\.language_model\./, 'model.'),
});
