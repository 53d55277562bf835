// Molmo written from its parts, over the weights of a checkpoint: node dist/main.js [FOLDER]
import { fileURLToPath } from 'node:url';
import { qwen2, readQwen2Config } from '@weft/backbone-qwen2';
import { attentionPoolConnector, cropArranger } from '@weft/connector-attention-pool';
import { clip, clipPresets } from '@weft/encoder-clip';
import { unifiedFusion } from '@weft/fusion-unified';
import { compose, molmoNames, molmoTemplate, molmoTower, type Composition } from '@weft/models';
import { overlapCrops, readOverlapCrops } from '@weft/processors';
import { readCheckpointFiles, verify, type CheckpointFiles } from '@weft/runtime';
import type { Model } from '@weft/spec';

/**
 * Molmo-7B-D: a picture is seen whole and in crops that overlap, attention pools two by two patches, and what comes out is
 * added to the embeddings of `<im_patch>`.
 *
 *   image ──► whole + crops ──► CLIP, two layers ──► attention pooling, gated MLP ──┐
 *                                                                                   ├─ added ─► Qwen2 ──► text
 *   prompt ──────────────────────────────────────────────────────────► embeddings ──┘
 */
export function molmo({ config, preprocessor }: Files, swapped: Partial<Composition> = {}): Model {
  const number = (name: string): number => Number(config[name]);
  // Up and gate are one tensor, and `intermediate_size` its height.
  const intermediateSize = number('intermediate_size') / 2;
  const text = { ...config, intermediate_size: intermediateSize, rms_norm_eps: number('layer_norm_eps') };
  const backbone = qwen2({ ...readQwen2Config(text), extraTokens: 128, extraTable: true });
  // OpenAI's CLIP without its last block, unless the file says otherwise.
  const sight = molmoTower(config, { ...clipPresets['large-patch14-336'], numHiddenLayers: 23 });
  return compose({
    name: 'molmo',
    encoder: clip(sight, { featureLayers: [-2, -9], postNorm: false, patchWeight: 'matrix' }),
    connector: attentionPoolConnector({
      hiddenSize: sight.hiddenSize,
      numHeads: sight.numAttentionHeads,
      intermediateSize,
      padEmbed: true,
    }),
    arranger: cropArranger({ masks: true }),
    backbone,
    fusion: unifiedFusion({ mode: 'add' }),
    processor: overlapCrops(readOverlapCrops(preprocessor)),
    imageTokenId: number('vocab_size') + 2, // Start, end, patch and column follow the vocabulary.
    placeholder: '<im_patch>',
    prompt: { chatTemplate: molmoTemplate() },
    paths: { encoder: 'model.vision_backbone.image_vit', connector: 'model.vision_backbone', backbone: '' },
    checkpoint: molmoNames(backbone),
    ...swapped,
  });
}

type Files = Pick<CheckpointFiles, 'config' | 'preprocessor'>;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fixture = fileURLToPath(
    new URL('../../../packages/models/__fixtures__/molmo-portrait', import.meta.url),
  );
  const [folder = fixture] = process.argv.slice(2);
  const { checks } = await verify(folder, { model: molmo(await readCheckpointFiles(folder)) });
  for (const { name, maxDiff } of checks)
    console.log(`${name.padEnd(20)} ${maxDiff <= 1e-5 ? 'as the reference' : `off by ${maxDiff}`}`);
}
