// Llama 3.2 Vision written from its parts, over the weights of a checkpoint: node dist/main.js [FOLDER]
import { fileURLToPath } from 'node:url';
import { llama, readLlamaConfig } from '@weft/backbone-llama';
import { linearConnector } from '@weft/connector-linear';
import { mllamaVision, readMllamaVisionConfig } from '@weft/encoder-mllama';
import { crossAttention } from '@weft/fusion-cross-attention';
import { compose, mllamaNames, type Composition } from '@weft/models';
import { canvasTiles, readCanvasTiles } from '@weft/processors';
import { readCheckpointFiles, verify, type CheckpointFiles } from '@weft/runtime';
import type { Json, Model } from '@weft/spec';

/**
 * Up to four tiles are seen; gated layers between those of a Llama attend to them. Without pictures it is Llama.
 *
 *   image ──► tiles ──► ViT ──► linear ──► keys and values ──┐ (once)
 *                                                            ▼
 *   prompt ──► embeddings ──► Llama ─► ... ─► gated cross-attention ─► ... ──► text
 */
export function llamaVision({ config, preprocessor }: Files, swapped: Partial<Composition> = {}): Model {
  const text = config['text_config'] as Json;
  const crossLayers = text['cross_attention_layers'] as readonly number[];
  const backbone = llama({
    ...readLlamaConfig(text),
    numHiddenLayers: Number(text['num_hidden_layers']) - crossLayers.length,
    // `<|image|>` and seven more have an embedding and no logit.
    extraTokens: 8,
  });
  return compose({
    name: 'llama-3.2-vision',
    // As the published weights were trained; transformers since 4.55 takes the states after the layers.
    encoder: mllamaVision(readMllamaVisionConfig(config['vision_config'] as Json), { capture: 'before' }),
    connector: linearConnector(),
    backbone,
    fusion: crossAttention({
      // The file counts all layers, the cross-attention layers among them.
      at: crossLayers.map((layer, i) => layer - i),
      naming: 'merged',
      unseen: 'mlp',
    }),
    processor: canvasTiles(readCanvasTiles(preprocessor)),
    imageTokenId: Number(config['image_token_index']),
    placeholder: '<|image|>',
    prompt: { backdrop: 'white', insertsFirstToken: true },
    paths: { encoder: 'vision_model' },
    checkpoint: mllamaNames(backbone),
    ...swapped,
  });
}

type Files = Pick<CheckpointFiles, 'config' | 'preprocessor'>;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fixture = fileURLToPath(
    new URL('../../../packages/models/__fixtures__/mllama-apart', import.meta.url),
  );
  const [folder = fixture] = process.argv.slice(2);
  const { checks } = await verify(folder, { model: llamaVision(await readCheckpointFiles(folder)) });
  for (const { name, maxDiff } of checks)
    console.log(`${name.padEnd(20)} ${maxDiff <= 1e-5 ? 'as the reference' : `off by ${maxDiff}`}`);
}
