import { readFileSync } from 'node:fs';
import { fileError } from '@weft/errors';
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
import { failureObject, reportFailure, UsageError, withoutCommands } from './failure.js';
import { jsonText } from './terminal.js';

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
  process.on('SIGINT', interrupt);
  // The end of the last write may be told after the command is over.
  if (!process.stdout.listeners('error').includes(stdoutFailed)) process.stdout.on('error', stdoutFailed);
  let code = 0;
  try {
    const program = programOf({ signal: controller.signal, fail: () => (code = 1) });
    await program.parseAsync(knownArguments(program, args), { from: 'user' });
  } catch (error) {
    const isUsage = error instanceof CommanderError;
    if (isUsage) code = error.exitCode === 0 ? 0 : 2;
    else if (!controller.signal.aborted) code = error instanceof UsageError ? 2 : 1;
    if (code !== 0 && !isUsage) reportFailure(error, process.stderr);
    // Programs find it in the last line; standard output holds results and nothing else.
    if (code !== 0 && wantsJson(args)) process.stderr.write(jsonText({ error: failureObject(error) }));
  } finally {
    process.off('SIGINT', interrupt);
  }
  return controller.signal.aborted ? 130 : code;
}

function stdoutFailed(error: NodeJS.ErrnoException): void {
  // A reader such as `head` may have seen enough.
  if (error.code === 'EPIPE') process.exit(0);
  reportFailure(fileError(error, 'standard output'), process.stderr);
  process.exit(1);
}

const wantsJson = (args: readonly string[]): boolean => {
  const end = args.indexOf('--');
  return args.slice(0, end === -1 ? undefined : end).includes('--json');
};

/** The arguments; only the name of a command that does not exist, so that asking for its help is an error too. */
function knownArguments(program: Command, args: readonly string[]): readonly string[] {
  const [first, second] = args.filter((arg) => !arg.startsWith('-'));
  const asksForHelp = first === 'help' || args.includes('--help') || args.includes('-h');
  const name = first === 'help' ? second : first;
  const isKnown =
    name === undefined || name === 'help' || program.commands.some((one) => one.name() === name);
  return asksForHelp && !isKnown ? [name] : args;
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
    .showHelpAfterError('(weft --help says more)')
    .configureOutput({
      writeErr: (text) => void process.stderr.write(text),
      outputError: (text, write) => write(`${withoutCommands(text.trimEnd())}\n`),
    })
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
  for (const command of program.commands)
    command.showHelpAfterError(
      `Usage: weft ${command.name()} ${command.usage()}\n(weft ${command.name()} --help says more)`,
    );
  return program;
}
