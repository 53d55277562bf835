// Swaps a part of each of three models, keeps the weights of the others, saves and opens the result: node dist/main.js [FOLDER]
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { llama, readLlamaConfig } from '@weft/backbone-llama';
import { mlpConnector } from '@weft/connector-mlp';
import { dino, dinoPresets } from '@weft/encoder-dino';
import { initialWeights } from '@weft/models';
import { load, partWeights, readCheckpointFiles, writeModel, type CheckpointFiles } from '@weft/runtime';
import type { Json, Model } from '@weft/spec';
import { llamaVision } from 'weft-example-recipe-llama-3.2-vision';
import { molmo } from 'weft-example-recipe-molmo';
import { qwen2Vl } from 'weft-example-recipe-qwen2-vl';

const parts = ['encoder', 'connector', 'backbone'] as const;
type Swap = readonly [title: string, part: (typeof parts)[number], from: string, (files: Files) => Model];
type Files = CheckpointFiles;

const size = { hiddenSize: 14, numHiddenLayers: 10, numAttentionHeads: 2, imageSize: 24, patchSize: 3 };
const encoder = dino({ ...dinoPresets['v2-small'], ...size }, { featureLayers: [-2, -9] });
const connector = mlpConnector();
const llamaOf = ({ config }: Files) => llama(readLlamaConfig(config['text_config'] as Json));

const swaps: readonly Swap[] = [
  ['Molmo with DINOv2 for CLIP', 'encoder', 'molmo-portrait', (files) => molmo(files, { encoder })],
  ['Llama 3.2 Vision with an MLP', 'connector', 'mllama-apart', (files) => llamaVision(files, { connector })],
  [
    'Qwen2-VL with Llama',
    'backbone',
    'qwen2-vl-two',
    (files) => qwen2Vl(files, { backbone: llamaOf(files) }),
  ],
];

const [target = 'swapped'] = process.argv.slice(2);
for (const [title, swapped, from, compose] of swaps) {
  const folder = fileURLToPath(new URL(`../../../packages/models/__fixtures__/${from}`, import.meta.url));
  const files = await readCheckpointFiles(folder);
  const { preprocessor } = files;
  const model = compose(files);
  // The new part starts from a seed; all others are as they were.
  const others = parts.filter((part) => part !== swapped);
  const kept = await Promise.all(others.map((part) => partWeights(folder, part, model)));
  const weights = [...initialWeights(model.module, 7), ...kept.flat()];
  await writeModel(join(target, from), { model, weights, tokenizerFrom: folder, preprocessor });

  const loaded = await load(join(target, from));
  const pictures = (await readdir(folder)).filter((name) => name.endsWith('.png'));
  const images = pictures.map((name) => join(folder, name));
  const prompt = await readFile(join(folder, 'prompt.txt'), 'utf8');
  const answer = await loaded.generate({ prompt, images, maxNewTokens: 4 }).result();
  const untouched = kept.flat().reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  console.log(`${title}: ${loaded.parameters - untouched} of ${loaded.parameters} parameters are new`);
  console.log(`  ${answer.promptTokens} tokens read, ${answer.imageTokens} of them image`);
  await loaded.close();
}
