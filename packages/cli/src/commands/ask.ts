import { stat } from 'node:fs/promises';
import { printable } from '@weft/errors';
import type { Command } from 'commander';
import type { GenerationResult, ImageInput, Message } from '@weft/runtime';
import { checkDrawing, drawAnswer, drawingText, type Drawing } from '../draw-answer.js';
import { UsageError } from '../failure.js';
import { openModel } from '../open-model.js';
import { addGenerationOptions, generationOptions, type GenerationFlags } from '../options.js';
import type { Context } from '../context.js';
import { jsonText } from '../terminal.js';

/** `weft ask`: one question about any number of pictures. */
export function addAskCommand(program: Command, { signal, fail }: Context): void {
  const command = program
    .command('ask')
    .summary('answer a question about pictures')
    .description(
      'Answers a question about pictures. The answer is written as it comes. Without pictures it is a question to the language model.',
    )
    .argument('<input...>', 'image files, then the question')
    .usage('[options] IMAGE... "QUESTION"')
    .option('--json', 'print one JSON object: answer, token counts, times in ms')
    .option('--draw <file>', 'draw the boxes and points of the answer on the picture, as PNG')
    .addHelpText(
      'after',
      '\nExamples:\n  $ weft ask photo.jpg "How many circles are there?"\n  $ weft ask before.png after.png "What changed?" --model ./llava-1.5-7b --max-tokens 80\n  $ weft ask photo.jpg "Where is the star?" --draw places.png',
    );
  addGenerationOptions(command).action(
    async (
      inputs: string[],
      flags: GenerationFlags & { readonly json?: boolean; readonly draw?: string },
    ) => {
      const { images, question } = await readInputs(inputs);
      if (flags.draw !== undefined) await checkDrawing(images, flags.draw);
      const model = await openModel(flags, signal);
      try {
        const answer = model.generate({
          ...generationOptions(flags),
          messages: questionAbout(images, question),
          signal,
        });
        if (!flags.json) for await (const { text } of answer) process.stdout.write(printable(text));
        const result = await answer.result();
        if (!flags.json) process.stdout.write('\n');
        if (signal.aborted) return;
        const drawing =
          flags.draw === undefined
            ? undefined
            : await drawAnswer(result.text, images[0]!, flags.draw, signal);
        if (flags.json) process.stdout.write(jsonText(summary(result, drawing)));
        if (!drawing) return;
        process.stderr.write(`${drawingText(drawing, flags.draw!)}\n`);
        if (drawing.places.length === 0) fail();
      } finally {
        await model.close();
      }
    },
  );
}

async function readInputs(
  inputs: readonly string[],
): Promise<{ readonly images: readonly string[]; readonly question: string }> {
  const question = inputs.at(-1)!;
  const isFile = await stat(question).then(
    (found) => found.isFile(),
    () => false,
  );
  if (isFile || question.trim() === '')
    throw new UsageError(
      isFile ? `${question} is a file, but the last argument is the question.` : 'The question is empty.',
      'Write: weft ask IMAGE... "QUESTION"',
    );
  return { images: inputs.slice(0, -1), question };
}

/** A user message with the pictures before the text. */
export const questionAbout = (images: readonly ImageInput[], question: string): Message[] => [
  {
    role: 'user',
    content: [
      ...images.map((image) => ({ type: 'image', image }) as const),
      { type: 'text', text: question },
    ],
  },
];

/** The object of `--json`; times in ms. */
const summary = (
  { text, promptTokens, imageTokens, generatedTokens, finishReason, timings }: GenerationResult,
  drawing?: Drawing,
) => ({
  answer: text,
  promptTokens,
  imageTokens,
  generatedTokens,
  finishReason,
  timings: Object.fromEntries(
    Object.entries(timings).map(([name, time]) => [name, Math.round(time * 1000) / 1000]),
  ),
  ...(drawing ? { places: drawing.places } : {}),
});
