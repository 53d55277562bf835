/** Kinds of exceptions as Python and Jinja2 name them. */
export type PyErrorKind =
  | 'AssertionError'
  | 'AttributeError'
  | 'FilterArgumentError'
  | 'IndexError'
  | 'KeyError'
  | 'OverflowError'
  | 'RuntimeError'
  | 'SecurityError'
  | 'TemplateError'
  | 'TemplateRuntimeError'
  | 'TypeError'
  | 'UndefinedError'
  | 'ValueError'
  | 'ZeroDivisionError';

/** An exception that Python would raise while it renders. */
export class PyError extends Error {
  readonly kind: PyErrorKind;

  constructor(kind: PyErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Whether a value is an exception of one of the kinds. */
export const isPyError = (error: unknown, ...kinds: readonly PyErrorKind[]): error is PyError =>
  error instanceof PyError && (kinds.length === 0 || kinds.includes(error.kind));

/** The template's text is not a template. */
export class SyntaxProblem extends Error {
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}
