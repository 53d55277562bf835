import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addAskCommand } from './commands/ask.js';
import { addChatCommand } from './commands/chat.js';
import { addCompareCommand } from './commands/compare.js';
import { addDemoCommand } from './commands/demo.js';
import { addInspectCommand } from './commands/inspect.js';
import { addQuantizeCommand } from './commands/quantize.js';
import { addTrainCommand } from './commands/train.js';
import { addVerifyCommand } from './commands/verify.js';
import type { Context } from './context.js';
import { reportFailure, UsageError } from './failure.js';

/**
 * Runs the command `weft`.
 *
 * @param args arguments after the command's name
 * @returns exit code: 0 for success, 1 for a failed check or an error, 2 for wrong usage, 130 after Ctrl-C
 */
export async function run(args: readonly string[]): Promise<number> {
  const controller = new AbortController();
  const interrupt = (): void => {
    // The second time there is no waiting for what is under way.
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  const closed = (error: NodeJS.ErrnoException): void => {
    // A reader such as `head` may have seen enough.
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  };
  process.on('SIGINT', interrupt);
  process.stdout.on('error', closed);
  let code = 0;
  try {
    await programOf({ signal: controller.signal, fail: () => (code = 1) }).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) code = error.exitCode === 0 ? 0 : 2;
    else if (!controller.signal.aborted) {
      reportFailure(error, process.stderr);
      code = error instanceof UsageError ? 2 : 1;
    }
  } finally {
    process.off('SIGINT', interrupt);
    process.stdout.off('error', closed);
  }
  return controller.signal.aborted ? 130 : code;
}

function programOf(context: Context): Command {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  const program = new Command('weft')
    .description('Vision-language models: ask them, look into them, prove them, train them.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('(weft COMMAND --help says more)')
    .exitOverride()
    .addHelpText(
      'after',
      '\nExample:\n  $ weft demo\n\nExit codes: 0 success, 1 failed check or error, 2 wrong usage, 130 stopped by Ctrl-C.',
    );
  for (const add of [
    addAskCommand,
    addChatCommand,
    addInspectCommand,
    addCompareCommand,
    addVerifyCommand,
    addQuantizeCommand,
    addTrainCommand,
    addDemoCommand,
  ])
    add(program, context);
  return program;
}
