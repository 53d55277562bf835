/** What an error message says, in this order: what was found and expected, where, what to do. */
export interface ErrorParts {
  /** What was found and what was expected, one sentence. */
  readonly message: string;
  /** Place in the model, the file or the configuration. */
  readonly where?: string | undefined;
  /** What the reader can do about it. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

const marker = Symbol.for('weft.error');

/**
 * Base of all errors that Weft raises on purpose. `isWeftError` recognises them across duplicate installs.
 */
export class WeftError extends Error {
  readonly code: string;
  readonly where: string | undefined;
  readonly hint: string | undefined;

  constructor(code: string, parts: ErrorParts | string) {
    const { message, where, hint, cause } =
      typeof parts === 'string' ? ({ message: parts } as ErrorParts) : parts;
    const text = [message, where && `  at ${where}`, hint && `  ${hint}`].filter(Boolean).join('\n');
    super(text, cause === undefined ? undefined : { cause });
    this.code = code;
    this.where = where;
    this.hint = hint;
    this.name = new.target.name;
    Object.defineProperty(this, marker, { value: true });
  }
}

/** Whether the value is an error of Weft, whichever copy of the package made it. */
export const isWeftError = (value: unknown): value is WeftError =>
  typeof value === 'object' && value !== null && marker in value;
