import { ConfigError, InputError } from '@weft/errors';
import { compileStatements } from './compile.js';
import { fromProgram } from './from-program.js';
import { globalsAt } from './globals.js';
import { LimitError, measured, Meter, type RenderLimits } from './meter.js';
import { parseTemplate } from './parser.js';
import { PyError, SyntaxProblem } from './py-error.js';
import { Context } from './runtime.js';
import { runsOf } from './text.js';

/** A run of rendered characters of one origin. */
export interface RenderedPiece {
  readonly text: string;
  /** Whether the characters come from text that was marked. */
  readonly marked: boolean;
}

/** Settings of one rendering. */
export interface RenderOptions {
  /** The time that `strftime_now` tells; the present by default. */
  readonly now?: Date | undefined;
  /** Bounds of the work; those left out are the defaults. */
  readonly limits?: Partial<RenderLimits> | undefined;
}

/** A template that is ready to be rendered. */
export interface Template {
  /**
   * Renders the template. Of the variables, data as JSON has it is given to the template, numbers without a fraction
   * as integers; `markText` marks text whose characters are followed into the result.
   *
   * @returns pieces of the text in order, neighbours of different origin
   * @throws {InputError} if the template raises an error or passes a limit
   */
  readonly render: (
    variables: Readonly<Record<string, unknown>>,
    options?: RenderOptions,
  ) => readonly RenderedPiece[];
}

/** What one rendering may take where nothing else is said. */
export const defaultLimits: RenderLimits = {
  steps: 2_000_000,
  characters: 2 ** 24,
  milliseconds: 5_000,
  depth: 180,
};

const where = 'chat template';

/**
 * Compiles a chat template as Jinja2 3.1.6 does with the settings of transformers.
 *
 * @throws {ConfigError} if the text is not a template
 */
export function compileTemplate(template: string): Template {
  const run = compiled(template);
  return {
    render: (variables, { now = new Date(), limits = {} } = {}) => {
      const meter = new Meter({ ...defaultLimits, ...defined(limits) });
      try {
        return measured(meter, () => {
          const given = globalsAt(now);
          for (const [name, value] of Object.entries(variables)) given.set(name, fromProgram(value));
          return runsOf(run(new Context(given)));
        });
      } catch (cause) {
        throw renderError(cause);
      }
    },
  };
}

const defined = (limits: Partial<RenderLimits>): Partial<RenderLimits> =>
  Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));

function compiled(template: string): ReturnType<typeof compileStatements> {
  try {
    return compileStatements(parseTemplate(template));
  } catch (cause) {
    if (!(cause instanceof SyntaxProblem)) throw cause;
    throw new ConfigError({
      message: `The chat template cannot be parsed: ${cause.message} (line ${cause.line})`,
      where,
      cause,
    });
  }
}

function renderError(cause: unknown): unknown {
  if (cause instanceof LimitError)
    return new InputError({
      message: `The rendering of the chat template was stopped: ${cause.message} (limit: ${cause.limit}).`,
      where,
      hint: 'Shorten the conversation, or raise this limit if you trust the template.',
      cause,
    });
  if (isStackOverflow(cause))
    return new InputError({
      message:
        'The rendering of the chat template was stopped: values lie too deep within each other (limit: depth).',
      where,
      cause,
    });
  if (!(cause instanceof PyError)) return cause;
  const refuses = cause.kind === 'TemplateError';
  return new InputError({
    message: refuses
      ? `The chat template refuses these messages: ${cause.message}`
      : `The chat template cannot be rendered for these messages: ${cause.message} (${cause.kind})`,
    where,
    hint: 'Check the order of roles and the form of content (a string, or a list of parts) that this checkpoint takes.',
    cause,
  });
}

/** Whether an error says that a rendering passed one of the given limits; any limit if none is given. */
export const isLimitError = (error: unknown, ...limits: readonly (keyof RenderLimits)[]): boolean =>
  error instanceof InputError &&
  error.cause instanceof LimitError &&
  (limits.length === 0 || limits.includes(error.cause.limit));

/** Engines call it by different names. */
const isStackOverflow = (cause: unknown): boolean =>
  cause instanceof RangeError || (cause instanceof Error && cause.name === 'InternalError');
