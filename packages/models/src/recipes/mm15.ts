import { llama, llamaPart, llamaPresets, readLlamaConfig, type LlamaConfig } from '@weft/backbone-llama';
import { cAbstractorConnector, readCAbstractorConfig } from '@weft/connector-c-abstractor';
import { clip, clipPart, clipPresets, readClipConfig } from '@weft/encoder-clip';
import { unifiedFusion } from '@weft/fusion-unified';
import { paddedTiles, readPaddedTiles } from '@weft/processors';
import { configReader, type Backbone, type Json, type Model } from '@weft/spec';
import { compose } from '../compose.js';
import { imageSection } from '../processor-files.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';
import { textNames } from '../text.js';

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
function readMm15(config: Json, files: RecipeFiles = {}): Model {
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
    processor: paddedTiles(readPaddedTiles(imageSection(config, files, { classes: ['MM15ImageProcessor'] }))),
    paths: { encoder: 'vision_tower.vision_model', connector: 'abstractor' },
    checkpoint: textNames(backbone, llamaPart),
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

/**
 * MM1.5: the tower that is published as DFN5B-CLIP-ViT-H-14-378, with a table for tiles of 672 pixels, and Honeybee's
 * C-Abstractor. Apple's language models are not public; a Llama of the same nominal size stands for each.
 */
const mm15 =
  (backbone: LlamaConfig, hasExperts = false) =>
  async (): Promise<PresetFiles> => ({
    config: {
      model_type: 'mm1_5',
      vision_config: clipPart.write!({ ...clipPresets['dfn-huge-patch14-378'], imageSize: 672 })!,
      projector_config: {
        projector_type: 'c-abs',
        num_query_tokens: 144,
        hidden_size: 1024,
        depth: 3,
        mlp_depth: 2,
        pos_emb: true,
        num_eos_tokens: 0,
      },
      text_config: {
        ...llamaPart.write!(backbone),
        ...(hasExperts ? { num_experts: 64, num_experts_per_tok: 2, expert_layer_period: 2 } : {}),
      },
      // A vocabulary's last row stands for a token that would be added.
      image_token_id: backbone.vocabSize - 1,
    },
  });

export const mm15Recipe: RecipeDefinition = {
  name: 'mm15',
  types: ['mm1_5'],
  presets: {
    'mm1.5-1b': mm15(llamaPresets['llama-3.2-1b']),
    'mm1.5-3b': mm15(llamaPresets['llama-3.2-3b']),
    'mm1.5-7b': mm15(llamaPresets['llama-2-7b']),
    'mm1.5-30b': mm15(llamaPresets['llama-30b']),
    'mm1.5-1b-moe': mm15(llamaPresets['llama-3.2-1b'], true),
    'mm1.5-3b-moe': mm15(llamaPresets['llama-3.2-3b'], true),
  },
  read: readMm15,
};
