import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { printable } from '@weft/errors';
import type { Command } from 'commander';
import type { ImageInput } from '@weft/runtime';
import { openModel } from '../open-model.js';
import type { Context } from '../context.js';
import { styleOf } from '../terminal.js';
import { questionAbout } from './ask.js';

const questions = ['How many objects are there?', 'What color is the star?', 'Describe the picture.'];

/** `weft demo`: the embedded model answers three questions about a picture. */
export function addDemoCommand(program: Command, { signal }: Context): void {
  program
    .command('demo')
    .summary('see the embedded model answer')
    .description(
      'Answers three questions about a picture with the embedded model, a small vision-language model of shapes and numbers that was trained with weft. Nothing is downloaded.',
    )
    .addHelpText('after', '\nExample:\n  $ weft demo')
    .action(async () => {
      const { bold, dim, cyan } = styleOf(process.stdout);
      const { picture, name } = await demoPicture();
      const model = await openModel({}, signal);
      try {
        process.stdout.write(`${bold('Picture')}  ${name}\n`);
        for (const question of questions) {
          process.stdout.write(`\n${bold('Question')} ${question}\n${bold('Answer')}   `);
          const answer = model.generate({ messages: questionAbout([picture], question), signal });
          for await (const { text } of answer) process.stdout.write(cyan(printable(text)));
          const { generatedTokens, imageTokens, timings, finishReason } = await answer.result();
          process.stdout.write('\n');
          if (finishReason === 'abort') return;
          const seeing = Math.round(timings.preprocess + timings.encode + timings.prefill);
          const speed =
            generatedTokens > 1
              ? `, ${Math.round((generatedTokens - 1) / (timings.decode / 1000))} tokens/s`
              : '';
          process.stdout.write(
            `         ${dim(`${imageTokens} image tokens, first token after ${seeing} ms${speed}`)}\n`,
          );
        }
        process.stdout.write(`\n${bold('Go on')}\n${nextSteps(name)}\n`);
      } finally {
        await model.close();
      }
    });
}

/** The picture of the clone, or one of the same world where weft was installed alone. */
async function demoPicture(): Promise<{ readonly picture: ImageInput; readonly name: string }> {
  const path = fileURLToPath(new URL('../../../../examples/assets/shapes.png', import.meta.url));
  if (existsSync(path)) return { picture: path, name: 'examples/assets/shapes.png' };
  const { paint, Random, randomScene } = await import('@weft/tiny');
  const random = new Random(1);
  for (;;) {
    const scene = randomScene(random);
    if (scene.objects.filter(({ shape }) => shape === 'star').length === 1)
      return { picture: paint(scene, 384), name: 'drawn for the demo' };
  }
}

function nextSteps(name: string): string {
  const isClone = name.startsWith('examples/');
  const weft = isClone ? 'npm run -s weft --' : 'weft';
  const picture = isClone ? name : 'PICTURE';
  return [
    `  ${weft} ask ${picture} "Where is the star?"`,
    `  ${weft} chat ${picture}`,
    `  ${weft} inspect tiny`,
    `  ${weft} ask PHOTO "What is this?" --model FOLDER   with a LLaVA-1.5 or SmolVLM checkpoint`,
  ].join('\n');
}
