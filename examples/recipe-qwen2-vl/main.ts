// Qwen2-VL written from its parts, over the weights of a checkpoint: node dist/main.js [FOLDER]
import { fileURLToPath } from 'node:url';
import { qwen2, readQwen2Config } from '@weft/backbone-qwen2';
import { patchMergerConnector } from '@weft/connector-patch-merger';
import { qwen2Vision, readQwen2VisionConfig } from '@weft/encoder-qwen2-vl';
import { unifiedFusion } from '@weft/fusion-unified';
import { compose, qwen2VlNames, type Composition } from '@weft/models';
import { mropePositions } from '@weft/positions-mrope';
import { packedPatches, packedVideo, readPackedPatches, videoLimits } from '@weft/processors';
import { readCheckpointFiles, verify, type CheckpointFiles } from '@weft/runtime';
import type { Json, Model } from '@weft/spec';

/**
 * A picture keeps its shape, a merger makes one token of four patches, and a position is a time, a row and a column.
 *
 *   image ─► patches ─► ViT (2D-RoPE) ─► merger 2x2 ─┐
 *                                                    ├─► Qwen2 (M-RoPE) ─► text
 *   prompt ──────────────────────────► embeddings ───┘
 */
export function qwen2Vl({ config, preprocessor }: Files, swapped: Partial<Composition> = {}): Model {
  const vision = readQwen2VisionConfig(config['vision_config'] as Json);
  // Published files hold the fields of the text model at the top.
  const backbone = qwen2(readQwen2Config((config['text_config'] ?? config) as Json));
  return compose({
    name: 'qwen2-vl',
    encoder: qwen2Vision(vision),
    connector: patchMergerConnector({ mergeSize: vision.spatialMergeSize, norm: vision.norm }),
    backbone,
    fusion: unifiedFusion(),
    processor: packedPatches(readPackedPatches(preprocessor)),
    imageTokenId: Number(config['image_token_id']),
    placeholder: '<|image_pad|>',
    video: {
      processor: packedVideo(readPackedPatches(preprocessor, videoLimits)),
      tokenId: Number(config['video_token_id']),
      placeholder: '<|video_pad|>',
    },
    positions: mropePositions({
      mergeSize: vision.spatialMergeSize,
      tokensPerSecond: null,
      advance: 'largest',
    }),
    paths: { encoder: 'visual', connector: 'visual.merger', backbone: '' },
    checkpoint: qwen2VlNames(backbone),
    ...swapped,
  });
}

type Files = Pick<CheckpointFiles, 'config' | 'preprocessor'>;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fixture = fileURLToPath(
    new URL('../../../packages/models/__fixtures__/qwen2-vl-two', import.meta.url),
  );
  const [folder = fixture] = process.argv.slice(2);
  const { checks } = await verify(folder, { model: qwen2Vl(await readCheckpointFiles(folder)) });
  for (const { name, maxDiff } of checks)
    console.log(`${name.padEnd(20)} ${maxDiff <= 1e-5 ? 'as the reference' : `off by ${maxDiff}`}`);
}
