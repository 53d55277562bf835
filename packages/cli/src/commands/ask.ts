import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { GenerationResult, ImageInput, Message } from '@weft/runtime';
import { UsageError } from '../failure.js';
import { openModel } from '../open-model.js';
import { addGenerationOptions, generationOptions, type GenerationFlags } from '../options.js';
import type { Context } from '../run.js';
import { printable } from '../terminal.js';

/** `weft ask`: one question about any number of pictures. */
export function addAskCommand(program: Command, { signal }: Context): void {
  const command = program
    .command('ask')
    .summary('answer a question about pictures')
    .description(
      'Answers a question about pictures. The answer is written as it comes. Without pictures it is a question to the language model.',
    )
    .argument('<input...>', 'image files, then the question')
    .usage('[options] IMAGE... "QUESTION"')
    .option('--json', 'print one JSON object: answer, token counts, times in ms')
    .addHelpText(
      'after',
      '\nExample:\n  $ weft ask photo.jpg "How many circles are there?"\n  $ weft ask before.png after.png "What changed?" --model ./llava-1.5-7b --max-tokens 80',
    );
  addGenerationOptions(command).action(
    async (inputs: string[], flags: GenerationFlags & { readonly json?: boolean }) => {
      const { images, question } = await readInputs(inputs);
      const model = await openModel(flags, signal);
      try {
        const answer = model.generate({
          ...generationOptions(flags),
          messages: questionAbout(images, question),
          signal,
        });
        if (!flags.json) for await (const { text } of answer) process.stdout.write(printable(text));
        const result = await answer.result();
        process.stdout.write(
          flags.json ? (signal.aborted ? '' : `${JSON.stringify(summary(result))}\n`) : '\n',
        );
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
const summary = ({
  text,
  promptTokens,
  imageTokens,
  generatedTokens,
  finishReason,
  timings,
}: GenerationResult) => ({
  answer: text,
  promptTokens,
  imageTokens,
  generatedTokens,
  finishReason,
  timings: Object.fromEntries(
    Object.entries(timings).map(([name, time]) => [name, Math.round(time * 1000) / 1000]),
  ),
});
