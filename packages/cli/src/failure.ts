import { isWeftError, printableLine, type Notice } from '@weft/errors';
import { CommanderError } from 'commander';
import { styleOf, type TerminalStream } from './terminal.js';

/** The command line itself is wrong: exit code 2. */
export class UsageError extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

/** What to write about an error: message, place and hint of errors that are meant for users, one line of others. */
export function failureText(error: unknown, debug: boolean): string {
  if (debug && error instanceof Error) return withoutCommands(causesOf(error).join('\ncaused by '));
  if (isWeftError(error)) return withoutCommands(error.message);
  if (error instanceof UsageError) return withoutCommands(`${error.message}\n  ${error.hint}`);
  const message = error instanceof Error ? error.message : String(error);
  return withoutCommands(
    `${message.split('\n')[0]}\n  This is not an error that weft expected. WEFT_DEBUG=1 shows where it comes from.`,
  );
}

/**
 * Lines of an error, which may hold names and texts of files: nothing in them acts on a terminal, and none but the first
 * begins at the margin, where it could be taken for another message.
 */
export const withoutCommands = (text: string): string =>
  text
    .split('\n')
    .map((line, i) => `${i > 0 && !line.startsWith('  ') ? '  ' : ''}${printableLine(line)}`)
    .join('\n');

function causesOf(error: Error): string[] {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? [own, ...causesOf(error.cause)] : [own];
}

/** An error as `--json` prints it. */
export interface FailureObject {
  /** Code of the class of error: `WEFT_INPUT`, …; `WEFT_USAGE` of a wrong command line, `WEFT_INTERNAL` of a fault of weft. */
  readonly code: string;
  readonly message: string;
  /** Place in the model, the file or the configuration. */
  readonly where?: string;
  /** What can be done about it. */
  readonly hint?: string;
}

/** The parts of an error as plain data. */
export function failureObject(error: unknown): FailureObject {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) return { code: 'WEFT_USAGE', message, hint: error.hint };
  if (error instanceof CommanderError)
    return { code: 'WEFT_USAGE', message: message.replace(/^error: /, '') };
  if (!isWeftError(error)) return { code: 'WEFT_INTERNAL', message };
  const { code, where, hint } = error;
  const tail = [where && `\n  at ${where}`, hint && `\n  ${hint}`].filter(Boolean).join('');
  return {
    code,
    message: message.endsWith(tail) ? message.slice(0, message.length - tail.length) : message,
    ...(where === undefined ? {} : { where }),
    ...(hint === undefined ? {} : { hint }),
  };
}

/** Writes an error in the manner of the command. */
export function reportFailure(error: unknown, stream: TerminalStream): void {
  const { red } = styleOf(stream);
  const debug = Boolean(process.env['WEFT_DEBUG']) && process.env['WEFT_DEBUG'] !== '0';
  stream.write(`${red('error:')} ${failureText(error, debug)}\n`);
}

/** Writes what a checkpoint's files say and the model does not apply, two lines each. */
export function reportNotices(notices: readonly Notice[], stream: TerminalStream): void {
  const { dim } = styleOf(stream);
  for (const { message, where } of notices)
    stream.write(`${dim('note:')} ${printableLine(message)}\n  at ${printableLine(where)}\n`);
}
