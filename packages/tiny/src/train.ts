#!/usr/bin/env node
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isWeftError } from '@weft/errors';
import { part } from '@weft/spec';
import { describeStage, fit, trainingProgress } from '@weft/train';
import { lookCurriculum, pairCurriculum, questionCurriculum, worldDataset } from './dataset.js';
import { inputSize, tinyInitialWeights, tinyModel } from './model.js';
import { openPool } from './pool.js';
import {
  answerStage,
  heldOutPictures,
  lookStage,
  pairStage,
  recipeSeed,
  settleStage,
  trainingPictures,
} from './recipe.js';
import { saveTiny } from './save.js';

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: 'runs/tiny' },
    out: { type: 'string', default: 'runs/tiny/model' },
    steps: { type: 'string' },
    threads: { type: 'string' },
  },
});

async function main(): Promise<void> {
  const model = await tinyModel();
  const tokens = part(model, 'connector').countTokens(part(model, 'encoder').grid!);
  const pictures = join(values.folder, 'pictures');
  const report = (done: number) => process.stderr.write(`\rdrawing pictures ${done}`);
  const pool = await openPool(pictures, { ...trainingPictures, size: inputSize }, report);
  const heldOut = await openPool(pictures, { ...heldOutPictures, size: inputSize });
  const all = [lookStage, pairStage, answerStage, settleStage].reduce((sum, { steps }) => sum + steps, 0);
  const scale = values.steps ? Number(values.steps) / all : 1;
  const shorten = <S extends { steps: number }>(stage: S): S => ({
    ...stage,
    steps: Math.max(1, Math.round(stage.steps * scale)),
  });
  const stages = [
    {
      stage: shorten(lookStage),
      data: worldDataset(pool, lookCurriculum, tokens, { seed: recipeSeed, mostObjects: 1, numbers: false }),
    },
    {
      stage: shorten(pairStage),
      data: worldDataset(pool, pairCurriculum, tokens, { seed: recipeSeed + 4, mostObjects: 2 }),
    },
    {
      stage: shorten(answerStage),
      data: worldDataset(pool, questionCurriculum, tokens, { seed: recipeSeed + 1 }),
    },
    {
      stage: shorten(settleStage),
      data: worldDataset(pool, questionCurriculum, tokens, { seed: recipeSeed + 5 }),
    },
  ];
  const progress = trainingProgress(process.stderr);
  for (const { stage } of stages)
    process.stderr.write(`\nstage ${stage.name}\n${describeStage(model, stage)}\n`);
  const weights = await fit({
    model,
    weights: tinyInitialWeights(model, recipeSeed),
    stages,
    folder: values.folder,
    seed: recipeSeed,
    evaluation: {
      data: worldDataset(heldOut, questionCurriculum, tokens, { seed: recipeSeed + 2 }),
      samples: heldOut.count,
      every: 500,
    },
    saveEvery: 250,
    ...(values.threads ? { threads: Number(values.threads) } : {}),
    onMetric: progress,
  });
  await saveTiny(values.out, weights);
  process.stderr.write(`saved ${values.out}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${isWeftError(error) ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
});
