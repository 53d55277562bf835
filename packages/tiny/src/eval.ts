#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { isWeftError } from '@weft/errors';
import { load } from '@weft/runtime';
import { evaluate, type Score } from './evaluate.js';
import { tinyFolder } from './folder.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: tinyFolder() },
    pictures: { type: 'string', default: '2000' },
    questions: { type: 'string', default: '3' },
    seed: { type: 'string', default: '5000000' },
    wrong: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  const model = await load(values.model);
  try {
    const result = await evaluate(model, {
      pictures: Number(values.pictures),
      questions: Number(values.questions),
      seed: Number(values.seed),
      onProgress: (done) => process.stderr.isTTY && process.stderr.write(`\r${done} pictures`),
    });
    if (values.json) {
      const { wrong, ...scores } = result;
      process.stdout.write(`${JSON.stringify(scores)}\n`);
    } else {
      const line = (name: string, { right, asked }: Score) =>
        process.stdout.write(
          `${name.padEnd(16)} ${((100 * right) / Math.max(1, asked)).toFixed(1).padStart(6)} %  ${right}/${asked}\n`,
        );
      process.stdout.write('\nkind\n');
      for (const [name, score] of Object.entries(result.kinds)) line(name, score);
      process.stdout.write('\npicture\n');
      for (const [name, score] of Object.entries(result.conditions)) line(name, score);
      process.stdout.write('\n');
      line('all', result.overall);
      line('boxes to the 1/100', result.exactBoxes);
    }
    if (values.wrong)
      for (const { seed, condition, dialogue, answer } of result.wrong)
        process.stderr.write(
          `${seed} ${condition} ${dialogue.kind}: ${dialogue.question} | ${dialogue.answer} | ${answer}\n`,
        );
  } finally {
    await model.close();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${isWeftError(error) ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
});
