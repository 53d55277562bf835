// Trains a new connector between a frozen encoder and a frozen backbone: node dist/main.js [STEPS] [FOLDER OF THE RUN]
import { initialWeights } from '@weft/models';
import { part } from '@weft/spec';
import { openPool, questionCurriculum, tinyFolder, tinyModel, worldDataset } from '@weft/tiny';
import { describeStage, fit, type Stage } from '@weft/train';
import { openCheckpoint } from '@weft/weights';

const [steps = '60', folder = 'run'] = process.argv.slice(2);
const model = await tinyModel();
const [encoder, connector] = [part(model, 'encoder'), part(model, 'connector')];

const stage: Stage = {
  name: 'align',
  trainable: ['connector'],
  steps: Number(steps),
  batchSize: 16,
  learningRate: 3e-3,
  warmupSteps: 5,
};
console.log(describeStage(model, stage));

// Encoder and backbone as they are in the checkpoint; the connector starts from a seed.
const weights = initialWeights(model.module, 1);
const checkpoint = await openCheckpoint(tinyFolder());
for (const path of weights.keys())
  if (!path.startsWith('multi_modal_projector.')) weights.set(path, await checkpoint.readFloat32(path));
await checkpoint.close();

const size = Number(encoder.inputs['pixel_values']!.shape[2]);
const tokens = connector.countTokens(encoder.grid!);
const pictures = await openPool(folder, { first: 1, count: 256, size });
const heldOut = await openPool(folder, { first: 500_001, count: 64, size });

const losses: number[] = [];
await fit({
  model,
  weights,
  stages: [{ stage, data: worldDataset(pictures, questionCurriculum, tokens, { seed: 1 }) }],
  folder,
  seed: 1,
  evaluation: {
    data: worldDataset(heldOut, questionCurriculum, tokens, { seed: 2 }),
    samples: 64,
    every: stage.steps,
  },
  onMetric: ({ step, loss, evaluation }) => {
    losses.push(loss);
    if (step === 1 || step % 10 === 0) console.log(`update ${step}: loss ${loss.toFixed(2)}`);
    if (evaluation !== undefined) console.log(`on pictures it never saw: ${evaluation.toFixed(2)}`);
  },
});
const [first, last] = [losses[0], losses.at(-1)];
if (first === undefined || last === undefined) console.log(`The run in ${folder} was finished before.`);
else
  console.log(
    last < first ? 'The connector has learnt.' : 'The connector has not learnt yet: give it more steps.',
  );
