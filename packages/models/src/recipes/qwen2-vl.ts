import { patchMergerConnector } from '@weft/connector-patch-merger';
import {
  qwen2Vision,
  qwen2VisionPart,
  qwen2VisionPresets,
  readQwen25VisionConfig,
  readQwen2VisionConfig,
} from '@weft/encoder-qwen2-vl';
import { ConfigError, type TakeNotice } from '@weft/errors';
import { unifiedFusion } from '@weft/fusion-unified';
import { ropeFields } from '@weft/nn';
import { mropePositions, type VideoAdvance } from '@weft/positions-mrope';
import { packedPatches, packedVideo, readPackedPatches, videoLimits } from '@weft/processors';
import { configReader, type Json, type Model } from '@weft/spec';
import { qwen2VlNames } from '../checkpoint-names.js';
import { compose } from '../compose.js';
import { sizeOf, textSection } from '../part-sizes.js';
import { imageSection, requireImageToken, videoSection } from '../processor-files.js';
import type { PresetFiles, RecipeDefinition, RecipeFiles } from '../recipe.js';
import { backboneOf } from '../text.js';

const papers = {
  qwen2_vl: 'https://arxiv.org/abs/2409.12191',
  qwen2_5_vl: 'https://arxiv.org/abs/2502.13923',
} as const;

/**
 * Qwen2-VL and Qwen2.5-VL (Wang et al. 2024, Bai et al. 2025): pictures keep their shape, a vision transformer with
 * rotary positions sees them whole, a merger makes one token of four patches, Qwen2 answers. A token's position is a
 * time, a row and a column.
 *
 *   image ─► patches ─► ViT (2D-RoPE) ─► merger 2x2 ─┐
 *                                                    ├─► Qwen2 (M-RoPE) ─► text
 *   prompt ──────────────────────────► embeddings ───┘
 *
 * The option `positionRule` says where text goes on after a video: `largest`, as the published checkpoints were
 * trained, unless given; or `side`, as transformers 5 does.
 */
async function readQwen2Vl(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const { options = {} } = files;
  const read = configReader(config, 'config');
  const type = read.string('model_type') as keyof typeof papers;
  const section = read.section('vision_config', {});
  const isNewer = type === 'qwen2_5_vl';
  const c = (isNewer ? readQwen25VisionConfig : readQwen2VisionConfig)(section);
  // Published files hold the fields of the text model at the top.
  const text = read.section('text_config', config);
  const tied = read.boolean('tie_word_embeddings', false) || text['tie_word_embeddings'] === true;
  const backbone = await backboneOf(
    { ...textDefaults, ...text, ...sections(text, files.notice), model_type: 'qwen2' },
    { tie_word_embeddings: tied },
    files,
  );
  requireImageToken(files, '<|image_pad|>');
  const [imageTokenId, videoTokenId] = [
    read.number('image_token_id', 151655),
    read.number('video_token_id', 151656),
  ];

  return compose({
    name: type.replaceAll('_', '-').replace('2-5', '2.5'),
    source: {
      paper: papers[type],
      code: `https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/${type}/modeling_${type}.py`,
    },
    encoder: qwen2Vision(c),
    connector: patchMergerConnector({ mergeSize: c.spatialMergeSize, norm: c.norm }),
    backbone,
    fusion: unifiedFusion(),
    imageTokenId,
    placeholder: '<|image_pad|>',
    processor: packedPatches(
      readPackedPatches(
        imageSection(config, files, {
          // That of the first files of Qwen2.5-VL, which is the same.
          classes: ['Qwen2VLImageProcessor', 'Qwen2_5_VLImageProcessor'],
          processors: ['Qwen2VLProcessor', 'Qwen2_5_VLProcessor'],
        }),
      ),
    ),
    video: {
      processor: packedVideo(readPackedPatches(videoSection(files), videoLimits)),
      placeholder: '<|video_pad|>',
      tokenId: videoTokenId,
    },
    positions: mropePositions({
      mergeSize: c.spatialMergeSize,
      tokensPerSecond: isNewer ? configReader(section, 'vision_config').number('tokens_per_second', 4) : null,
      advance: advanceOf(options),
    }),
    paths: { encoder: 'visual', connector: 'visual.merger', backbone: '' },
    checkpoint: qwen2VlNames(backbone),
    config,
  });
}

/** The text section of the class, that of the model of 72 billion. */
const textDefaults: Json = {
  vocab_size: 152064,
  hidden_size: 8192,
  intermediate_size: 29568,
  num_hidden_layers: 80,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-5,
  rope_theta: 1e6,
  max_position_embeddings: 32768,
  max_window_layers: 80,
};

/**
 * The rope fields with the sections that the class takes where the file has none. Its older files call plain positions of
 * three axes a type of their own.
 */
function sections(text: Json, notice?: TakeNotice): Json {
  const { rope_type: type, type: older, ...fields } = ropeFields(text, notice);
  const named = type ?? older ?? 'default';
  return {
    rope_scaling: undefined,
    rope_parameters: {
      mrope_section: [16, 24, 24],
      ...fields,
      rope_type: named === 'mrope' ? 'default' : named,
    },
  };
}

function advanceOf(options: Json): VideoAdvance {
  const rule = options['positionRule'] ?? 'largest';
  if (rule === 'largest' || rule === 'side') return rule;
  throw new ConfigError({
    message: `positionRule is ${JSON.stringify(rule)}.`,
    where: 'options',
    hint: "It is 'largest' or 'side'.",
  });
}

/** Qwen2-VL and Qwen2.5-VL: one tower for all sizes, and a Qwen2 whose positions have a time, a row and a column. */
const qwen2Vl = (type: 'qwen2_vl' | 'qwen2_5_vl', preset: string) => async (): Promise<PresetFiles> => {
  const tower = qwen2VisionPresets[type === 'qwen2_vl' ? 'qwen2-vl' : 'qwen2.5-vl'];
  const { tieWordEmbeddings } = await sizeOf<{ readonly tieWordEmbeddings: boolean }>(
    'backbone',
    'backbone-qwen2',
    preset,
  );
  return {
    config: {
      model_type: type,
      vision_config: {
        ...qwen2VisionPart.write!(tower),
        ...(type === 'qwen2_vl' ? {} : { tokens_per_second: 2 }),
      },
      text_config: await textSection('backbone-qwen2', preset, { mropeSection: [16, 24, 24] }),
      tie_word_embeddings: tieWordEmbeddings,
      image_token_id: 151655,
      video_token_id: 151656,
    },
    preprocessor: { min_pixels: 3136, max_pixels: 12845056 },
  };
};

export const qwen2VlRecipe: RecipeDefinition = {
  name: 'qwen2-vl',
  types: ['qwen2_vl', 'qwen2_5_vl'],
  presets: {
    'qwen2-vl-2b': qwen2Vl('qwen2_vl', 'qwen2-1.5b'),
    'qwen2-vl-7b': qwen2Vl('qwen2_vl', 'qwen2-7b'),
    'qwen2-vl-72b': qwen2Vl('qwen2_vl', 'qwen2-72b'),
    'qwen2.5-vl-3b': qwen2Vl('qwen2_5_vl', 'qwen2.5-3b'),
    'qwen2.5-vl-7b': qwen2Vl('qwen2_5_vl', 'qwen2-7b'),
  },
  read: readQwen2Vl,
};
