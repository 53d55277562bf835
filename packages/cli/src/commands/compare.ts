import type { Command } from 'commander';
import type { CompareFlags } from '../comparison.js';
import type { Context } from '../context.js';
import { pictureSize, wholeNumber } from '../options.js';

/** `weft compare`: what the three fusions cost over one encoder and one language model. */
export function addCompareCommand(program: Command, _context: Context): void {
  const several =
    <T>(parse: (text: string) => T) =>
    (text: string, earlier: readonly T[] = []): readonly T[] => [...earlier, parse(text)];
  program
    .command('compare')
    .summary('compare the three ways to show pictures to a language model')
    .description(
      'Joins one vision encoder and one language model by a unified embedding decoder (A), by gated cross-attention (B) and by both (H), and counts for pictures and prompts: parameters, tokens, operations, and memory of the caches. It needs no weights: the matrix products of the graphs are counted, which all methods would run.',
    )
    .option(
      '--encoder <name>',
      'vision encoder of a published size, such as siglip-so400m-patch14-384',
      'internvit-300m',
    )
    .option(
      '--connector <name>',
      'linear, mlp, pixel-shuffle, shuffle-mlp or resampler; shuffle-mlp where the patches can be joined two by two, else mlp',
    )
    .option(
      '--backbone <name>',
      'language model of a published size, or that of a published model',
      'qwen2-7b',
    )
    .option('--every <n>', 'B and H: a cross-attention layer before every Nth layer', wholeNumber(1), 4)
    .option(
      '--max-tiles <n>',
      'most tiles of a picture, the view of the whole not counted',
      wholeNumber(1),
      6,
    )
    .option('--image <WxH>', 'size of a picture, pixels; may be repeated', several(pictureSize))
    .option('--prompt-tokens <n>', 'tokens of the text; may be repeated', several(wholeNumber(1)))
    .option('--json', 'print one JSON object')
    .option('--svg <file>', 'write a chart as well')
    .addHelpText(
      'after',
      '\nExamples:\n  $ weft compare --image 448x448 --image 1344x896 --prompt-tokens 1024\n  $ weft compare --encoder internvit-6b --backbone qwen2-72b --every 8 --svg nvlm.svg\n\nPictures are 448x448 and 1344x896 unless given, and prompts have 128 tokens. A name that is not known lists the names there are.',
    )
    .action(async (flags: CompareFlags) => {
      const { compare } = await import('../compare.js');
      process.stdout.write(await compare(flags, process.stdout));
    });
}
