import { printableLine } from '@weft/errors';
import type { VerifyCheck, VerifyReport } from '@weft/runtime';
import type { Command } from 'commander';
import { failureObject, reportFailure } from '../failure.js';
import type { Context } from '../context.js';
import { jsonText, statusLine, styleOf, table, type StatusLine } from '../terminal.js';

/** A report, or why there is none, in one text and by the code of the error. */
type Outcome = VerifyReport | { readonly folder: string; readonly error: string; readonly code: string };

/** `weft verify`: checkpoints against the outputs of the reference implementation. */
export function addVerifyCommand(program: Command, context: Context): void {
  program
    .command('verify')
    .summary('compare a checkpoint with reference outputs')
    .description(
      'Compares what Weft computes with the reference outputs in golden.safetensors of each folder: features, logits with and without cache, generated tokens, pixels, ids. ' +
        'Differences of float32 values are relative to the largest reference value; those of tokens are counts; those of pixels are shares of the range of a byte.',
    )
    .argument('<folder...>', 'checkpoint folders with a golden.safetensors')
    .option('--json', 'print { folder, recipe, checks } as JSON; a list for several folders')
    .addHelpText('after', '\nExample:\n  $ weft verify packages/models/__fixtures__/llava-clip')
    .action(async (folders: string[], { json }: { readonly json?: boolean }) => {
      const outcomes: Outcome[] = [];
      const status = statusLine(process.stderr);
      for (const [i, folder] of folders.entries()) {
        status.show(`verifying ${folder}`, i / folders.length);
        const outcome = await outcomeOf(folder, context.signal, status);
        outcomes.push(outcome);
        if (!('checks' in outcome) || outcome.checks.length === 0 || outcome.checks.some(({ ok }) => !ok))
          context.fail();
        if (!json && 'checks' in outcome)
          process.stdout.write(`${i > 0 ? '\n' : ''}${reportText(outcome)}\n`);
      }
      if (json) process.stdout.write(jsonText(folders.length === 1 ? outcomes[0] : outcomes, 2));
    });
}

async function outcomeOf(folder: string, signal: AbortSignal, status: StatusLine): Promise<Outcome> {
  try {
    const { verify } = await import('@weft/runtime');
    return await verify(folder, { signal }).finally(() => status.clear());
  } catch (error) {
    if (signal.aborted) throw error;
    reportFailure(error, process.stderr);
    return {
      folder,
      error: error instanceof Error ? error.message : String(error),
      code: failureObject(error).code,
    };
  }
}

function reportText({ folder, recipe, checks }: VerifyReport): string {
  const { bold, red, green } = styleOf(process.stdout);
  const rows = checks.map(({ name, maxDiff, tolerance, ok }) => [
    printableLine(name),
    numberText(maxDiff),
    numberText(tolerance),
    ok ? green('ok') : red('FAILED'),
  ]);
  const failed = checks.filter(({ ok }: VerifyCheck) => !ok).length;
  const verdict =
    checks.length === 0
      ? red('nothing to check')
      : failed === 0
        ? green(`${checks.length} checks passed`)
        : red(`${failed} of ${checks.length} checks failed`);
  return [
    `${bold(printableLine(folder))} (${printableLine(recipe)})`,
    table([['check', 'difference', 'tolerance', ''], ...rows]),
    verdict,
  ].join('\n');
}

const numberText = (value: number): string =>
  Number.isInteger(value) ? String(value) : value.toExponential(1);
