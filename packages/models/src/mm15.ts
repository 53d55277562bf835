import { llama, readLlamaConfig } from '@weft/backbone-llama';
import { cAbstractorConnector, readCAbstractorConfig } from '@weft/connector-c-abstractor';
import { clip, readClipConfig } from '@weft/encoder-clip';
import { unifiedFusion } from '@weft/fusion-unified';
import { paddedTiles, readPaddedTiles } from '@weft/processors';
import { configReader, type Backbone, type Json, type Model } from '@weft/spec';
import { compose } from './compose.js';
import type { RecipeFiles } from './recipes.js';
import { textNames } from './text.js';

/**
 * MM1.5 (Zhang et al. 2024): every picture is cut into tiles and seen once more as a whole, each view becomes 144 tokens,
 * and boxes and points are text.
 *
 *   image ──► tiles + whole ──► CLIP ViT-H/14 ──► C-Abstractor ──┐
 *                                                                ├─► decoder, dense or with experts ──► text
 *   prompt ────────────────────────────────────► embeddings ─────┘   (`<x1,y1,x2,y2>` in thousandths)
 *
 * Neither code nor weights are public, so this `config.json` is ours: `vision_config` of CLIP, `projector_config` of
 * Honeybee, `text_config` of Llama. Experts stand in every `expert_layer_period`-th layer of the text, `num_experts` of
 * which each token takes `num_experts_per_tok`.
 */
export function mm15Recipe(config: Json, { preprocessor = {} }: RecipeFiles = {}): Model {
  const read = configReader(config, 'config');
  const vision = readClipConfig(read.section('vision_config'));
  const backbone = mm15Backbone(read.section('text_config'));

  return compose({
    name: 'mm1.5',
    source: {
      paper: 'https://arxiv.org/abs/2409.20566',
      code: 'composed from the paper; there is no public code',
    },
    encoder: clip(vision, { featureLayers: [read.number('vision_feature_layer', -1)] }),
    connector: cAbstractorConnector(readCAbstractorConfig(read.section('projector_config'))),
    backbone,
    fusion: unifiedFusion(),
    imageTokenId: read.number('image_token_id'),
    processor: paddedTiles(readPaddedTiles(preprocessor)),
    paths: { encoder: 'vision_tower.vision_model', connector: 'abstractor' },
    checkpoint: textNames(backbone),
    config,
  });
}

function mm15Backbone(section: Json): Backbone {
  const read = configReader(section, 'text_config');
  const dense = readLlamaConfig(section);
  const numExperts = read.number('num_experts', 0);
  return llama(
    numExperts === 0
      ? dense
      : {
          ...dense,
          experts: {
            numExperts,
            numExpertsPerTok: read.number('num_experts_per_tok', 2),
            normTopkProb: read.boolean('norm_topk_prob', true),
            every: read.number('expert_layer_period', 2),
          },
        },
  );
}
