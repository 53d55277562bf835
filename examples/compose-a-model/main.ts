// SigLIP, an MLP and Qwen2, put together by hand: node dist/main.js [FOLDER TO WRITE]
import { qwen2, qwen2Presets } from '@weft/backbone-qwen2';
import { mlpConnector } from '@weft/connector-mlp';
import { pixelShuffleConnector } from '@weft/connector-pixel-shuffle';
import { readSiglipConfig, siglip } from '@weft/encoder-siglip';
import { isWeftError } from '@weft/errors';
import { unifiedFusion } from '@weft/fusion-unified';
import { namedParameters } from '@weft/graph';
import { compose, initialWeights } from '@weft/models';
import { readSiglipProcessor, singleTile } from '@weft/processors';
import { load, partWeights, writeModel } from '@weft/runtime';
import type { ConnectorFactory, Json, Model } from '@weft/spec';
import { tinyConfig, tinyFolder, tinyPreprocessor } from '@weft/tiny';

const [folder = 'composed'] = process.argv.slice(2);
const heads = { numAttentionHeads: 4, headDim: 16, rotaryDim: 16 };
const sizes = { hiddenSize: 64, intermediateSize: 128, numHiddenLayers: 2, ...heads };
const config = tinyConfig() as Record<string, Json>;
const vocabSize = Number(config['text_config']!['vocab_size']);

const withConnector = (connector: ConnectorFactory): Model =>
  compose({
    name: 'siglip-qwen2',
    encoder: siglip(readSiglipConfig(config['vision_config']!)),
    connector,
    backbone: qwen2({ ...qwen2Presets['qwen2-0.5b'], ...sizes, vocabSize }),
    fusion: unifiedFusion(),
    processor: singleTile(readSiglipProcessor(tinyPreprocessor())),
    imageTokenId: Number(config['image_token_index']),
  });

const model = withConnector(mlpConnector());
for (const [name, part] of Object.entries(model.module.parts)) {
  const parameters = [...namedParameters(part).values()].reduce((sum, { elements }) => sum + elements, 0);
  console.log(`${name.padEnd(10)} ${parameters.toLocaleString('en-US').padStart(9)} parameters`);
}

// The encoder's weights come from a checkpoint, all others from a seed: this model sees, but has yet to learn to speak.
const weights = [...initialWeights(model.module, 7), ...(await partWeights(tinyFolder(), 'encoder', model))];
await writeModel(folder, { model, weights, tokenizerFrom: tinyFolder(), preprocessor: tinyPreprocessor() });

const loaded = await load(folder);
const picture = { width: 96, height: 96, channels: 3 as const, data: new Uint8Array(96 * 96 * 3).fill(200) };
const content = [
  { type: 'image' as const, image: picture },
  { type: 'text' as const, text: 'What is it?' },
];
const { imageTokens, generatedTokens } = await loaded
  .generate({ messages: [{ role: 'user', content }], maxNewTokens: 8 })
  .result();
console.log(
  `loaded again as '${loaded.model.name}': ${imageTokens} image tokens, ${generatedTokens} tokens generated`,
);
await loaded.close();
try {
  withConnector(pixelShuffleConnector({ scaleFactor: 3 }));
} catch (error) {
  if (!isWeftError(error)) throw error;
  console.log(`\n${error.name}: ${error.message}`);
}
