// Runs in a project that names five packages: SigLIP, an MLP, Qwen2, the rule that joins them, and the runtime.
// `node small.mjs TOKENIZER_FOLDER FIXTURES_FOLDER` composes them, saves the model, loads it and asks it; proves the
// checkpoint of the reference implementation that has these parts; and asks for one whose parts are not there.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { qwen2 } from '@weft/backbone-qwen2';
import { mlpConnector } from '@weft/connector-mlp';
import { siglip, siglipPresets } from '@weft/encoder-siglip';
import { unifiedFusion } from '@weft/fusion-unified';
import { compose, initialWeights } from '@weft/models';
import { readSiglipProcessor, singleTile } from '@weft/processors';
import { load, readCheckpointFiles, verify, writeModel } from '@weft/runtime';

const [tokenizerFrom, fixtures] = process.argv.slice(2);
const { config } = await readCheckpointFiles(tokenizerFrom);
const imageSize = 48;
const heads = { numAttentionHeads: 4, hiddenSize: 32, intermediateSize: 48, numHiddenLayers: 2 };

const model = compose({
  name: 'siglip-qwen2',
  encoder: siglip({ ...siglipPresets['base-patch16-224'], ...heads, imageSize }),
  connector: mlpConnector(),
  backbone: qwen2('qwen2-0.5b', {
    ...heads,
    numKeyValueHeads: 2,
    headDim: 8,
    rotaryDim: 8,
    vocabSize: config.text_config.vocab_size,
  }),
  fusion: unifiedFusion(),
  processor: singleTile(readSiglipProcessor({ size: { height: imageSize, width: imageSize } })),
  imageTokenId: config.image_token_index,
});
await writeModel('written', { model, weights: initialWeights(model.module, 1), tokenizerFrom });

const loaded = await load('written');
const image = { width: 20, height: 30, channels: 3, data: new Uint8Array(20 * 30 * 3).fill(90) };
const content = [
  { type: 'image', image },
  { type: 'text', text: 'What is it?' },
];
const answer = await loaded.generate({ messages: [{ role: 'user', content }], maxNewTokens: 4 }).result();
assert.equal(answer.imageTokens, (imageSize / 16) ** 2);
assert.ok(answer.generatedTokens > 0 && answer.generatedTokens <= 4);
await loaded.close();

const { checks } = await verify(join(fixtures, 'llava-siglip-qwen2'));
assert.ok(checks.length > 5);
for (const check of checks)
  assert.ok(check.ok, `${check.name} differs from the reference by ${check.maxDiff}`);

for (const [fixture, missing] of [
  ['llava-clip', ['@weft/encoder-clip']],
  ['text-olmo', ['@weft/backbone-olmo']],
  ['qwen2-vl-two', ['@weft/connector-patch-merger', '@weft/encoder-qwen2-vl', '@weft/positions-mrope']],
])
  await assert.rejects(load(join(fixtures, fixture)), (error) => {
    assert.equal(error.name, 'ConfigError');
    assert.equal(error.hint, `npm install ${missing.join(' ')}`);
    return true;
  });

console.log(
  `${answer.generatedTokens} tokens about ${answer.imageTokens} of a picture, ${checks.length} checks`,
);
