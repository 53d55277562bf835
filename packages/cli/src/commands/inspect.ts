import type { Command } from 'commander';
import type { ImageSize } from '../describe-model.js';
import { pictureSize } from '../options.js';
import type { Context } from '../context.js';

/** `weft inspect`: what a model is made of. */
export function addInspectCommand(program: Command, _context: Context): void {
  program
    .command('inspect')
    .summary('show what a model is made of')
    .description(
      'Draws the composition of a model, from the image to the text: parts, shapes, parameters, tokens per image. A published size needs no weights. Of a folder it also tells files, types, and tensors that have no place in the model.',
    )
    .argument('<model>', 'checkpoint folder, name of a published size, or "tiny" for the embedded model')
    .option('--image <WxH>', 'size of the picture whose tokens are counted, pixels', pictureSize)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  $ weft inspect smolvlm-256m --image 1280x720\n  $ weft inspect ./llava-1.5-7b\n\nA name that is not known lists the published sizes.',
    )
    .action(
      async (
        given: string,
        { image, json = false }: { readonly image?: ImageSize; readonly json?: boolean },
      ) => {
        const { inspectModel } = await import('../inspect-model.js');
        process.stdout.write(await inspectModel(given, { image, json, stream: process.stdout }));
      },
    );
}
