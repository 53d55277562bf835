import { printableLine } from '@weft/errors';
import type { Command } from 'commander';
import type { Agreement, DtypeOption } from '@weft/runtime';
import type { Context } from '../context.js';
import type { QuantizeSummary } from '../quantize-folder.js';
import { threadCount, weightForm, weightFormHelp } from '../options.js';
import { bytesText, grouped, jsonText, statusLine, styleOf, table } from '../terminal.js';

interface Flags {
  readonly dtype: DtypeOption;
  readonly compare: boolean;
  readonly json?: boolean;
  readonly threads?: number;
}

/** `weft quantize`: weights of a checkpoint in 8 or 4 bits, written to the cache. */
export function addQuantizeCommand(program: Command, { signal }: Context): void {
  program
    .command('quantize')
    .usage('[options] --dtype FORM FOLDER')
    .summary('round weights to 8 or 4 bits, and tell what that costs')
    .description(
      'Rounds the weights of a checkpoint and writes them to the cache, where every command with the same --dtype finds them (WEFT_CACHE names another folder). ' +
        'Tells the error of each part, and how many answers to a few questions stay the same.',
    )
    .argument('<folder>', 'checkpoint folder, or "tiny" for the embedded model')
    .requiredOption('--dtype <form>', weightFormHelp, weightForm)
    .option('--no-compare', 'do not ask both forms the same questions')
    .option('--threads <n>', 'threads to round with; the processors unless given', threadCount)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  $ weft quantize ./smolvlm-256m --dtype q4\n  $ weft ask photo.jpg "What is it?" -m ./smolvlm-256m --dtype q4',
    )
    .action(async (folder: string, { dtype, compare, json, threads }: Flags) => {
      const { quantizeFolder } = await import('../quantize-folder.js');
      const status = statusLine(process.stderr);
      const summary = await quantizeFolder(folder, {
        dtype,
        compare,
        threads,
        signal,
        report: (what, share) => status.show(what, share),
      }).finally(() => status.clear());
      process.stdout.write(json ? jsonText(summary, 2) : `${summaryText(summary)}\n`);
    });
}

function summaryText({ folder, file, isCached, parts, sourceBytes, agreement }: QuantizeSummary): string {
  const { bold } = styleOf(process.stdout);
  const stored = parts.reduce((sum, part) => sum + part.storedBytes, 0);
  const rounded = parts.reduce((sum, part) => sum + part.sourceBytes, 0);
  return [
    bold(printableLine(folder)),
    table([
      ['part', 'form', 'matrices', 'values', 'in the files', 'stored', 'error'],
      ...parts.map((part) => [
        part.part,
        part.scheme,
        String(part.matrices),
        grouped(part.values),
        bytesText(part.sourceBytes),
        bytesText(part.storedBytes),
        `${(100 * part.relativeError).toFixed(2)} %`,
      ]),
    ]),
    `The error is the root of the squared differences over the squared weights. ${bytesText(sourceBytes)} of weights become ${bytesText(sourceBytes - rounded + stored)}.`,
    `${isCached ? 'Found' : 'Written to'} ${printableLine(file)}`,
    ...(agreement ? [agreementText(agreement)] : []),
  ].join('\n');
}

const agreementText = ({ questions, equalAnswers, tokens, equalTokens, logitError }: Agreement): string =>
  `${equalAnswers} of ${questions} answers are the same, and ${equalTokens} of ${tokens} tokens; logits differ by ${(100 * logitError).toFixed(2)} %.`;
