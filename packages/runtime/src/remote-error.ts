import {
  ConfigError,
  FileError,
  InputError,
  isWeftError,
  SessionError,
  ShapeError,
  UnsupportedError,
  WeightError,
  type WeftError,
} from '@weft/errors';

/** An error as plain data, for the way between threads. */
export interface SentError {
  readonly code: string | undefined;
  readonly message: string;
  /** Code of the system, of errors of the file system. */
  readonly reason?: string | undefined;
  readonly where?: string | undefined;
  readonly hint?: string | undefined;
  readonly stack: string | undefined;
}

const classes: Readonly<Record<string, new (message: string) => WeftError>> = {
  WEFT_SHAPE: ShapeError,
  WEFT_WEIGHT: WeightError,
  WEFT_CONFIG: ConfigError,
  WEFT_INPUT: InputError,
  WEFT_UNSUPPORTED: UnsupportedError,
  WEFT_SESSION: SessionError,
};

export function packError(error: unknown): SentError {
  if (!(error instanceof Error)) return { code: undefined, message: String(error), stack: undefined };
  return {
    code: isWeftError(error) ? error.code : undefined,
    message: error.message,
    ...(isWeftError(error) ? { where: error.where, hint: error.hint } : {}),
    reason: error instanceof FileError ? error.reason : undefined,
    stack: error.stack,
  };
}

/** The error as its own class, with the stack of the other thread. */
export function unpackError({ code, message, reason, where, hint, stack }: SentError): Error {
  const Class = code === undefined ? undefined : classes[code];
  const error =
    reason === undefined
      ? Class
        ? new Class(message)
        : new Error(message)
      : new FileError({ message, reason });
  // The message has them already; a class would write them once more.
  if (isWeftError(error)) Object.assign(error, { where, hint });
  if (stack !== undefined) error.stack = stack;
  return error;
}
