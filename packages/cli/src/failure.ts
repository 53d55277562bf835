import { isWeftError, type Notice } from '@weft/errors';
import { printable, styleOf, type TerminalStream } from './terminal.js';

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
  if (debug && error instanceof Error) return causesOf(error).join('\ncaused by ');
  if (isWeftError(error)) return error.message;
  if (error instanceof UsageError) return `${error.message}\n  ${error.hint}`;
  const message = error instanceof Error ? error.message : String(error);
  return `${message.split('\n')[0]}\n  This is not an error that weft expected. WEFT_DEBUG=1 shows where it comes from.`;
}

function causesOf(error: Error): string[] {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? [own, ...causesOf(error.cause)] : [own];
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
    stream.write(`${dim('note:')} ${printable(message)}\n  at ${printable(where)}\n`);
}
