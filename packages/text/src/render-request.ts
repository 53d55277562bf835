import { compileTemplate, markText, type RenderLimits, type Template } from '@weft/jinja';
import { ConfigError, isWeftError } from '@weft/errors';
import type { Segment } from './chat-segments.js';

/** A rendering with all that it needs, as plain data. */
export interface RenderRequest {
  readonly template: string;
  readonly messages: readonly object[];
  /** Further variables, which are trusted. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** The time that the template tells; the present unless given. */
  readonly now: Date | undefined;
  readonly limits: Partial<RenderLimits>;
}

/** What a thread found: segments, or the error as data. */
export type RenderAnswer = { readonly segments: Segment[] } | { readonly error: RenderProblem };

/** A `ConfigError` or an `InputError` as data. */
export interface RenderProblem {
  readonly isConfig: boolean;
  readonly message: string;
  readonly where: string | undefined;
  readonly hint: string | undefined;
}

/** What a thread reports, once. */
export interface RenderReports {
  readonly answer: (answer: RenderAnswer) => void;
  readonly failed: (reason: string) => void;
}

/** Starts a thread for one rendering; `end` ends it at once. */
export type StartRenderThread = (
  request: RenderRequest,
  reports: RenderReports,
) => { readonly end: () => void };

/** The templates that were used last: a conversation renders one template at every turn. */
const compiled = new Map<string, Template>();
const mostCompiled = 16;

/** @throws ConfigError if the template cannot be parsed */
function templateOf(text: string): Template {
  const template = compiled.get(text) ?? compileTemplate(text);
  compiled.delete(text);
  compiled.set(text, template);
  if (compiled.size > mostCompiled) compiled.delete(compiled.keys().next().value!);
  return template;
}

/** Marks all text of a message but what only the program sets: its role, and the types of its parts. */
function markedMessage(message: object): ReadonlyMap<unknown, unknown> {
  return markedFields(message, 'role', (value) =>
    Array.isArray(value) ? value.map((part: unknown) => markedPart(part)) : markText(value),
  );
}

function markedPart(part: unknown): unknown {
  const isFields = typeof part === 'object' && part !== null && !Array.isArray(part);
  return isFields ? markedFields(part, 'type', markText) : markText(part);
}

/** Names of fields are marked as well: whoever writes the data may choose them. */
const markedFields = (
  fields: object,
  trusted: string,
  mark: (value: unknown) => unknown,
): ReadonlyMap<unknown, unknown> =>
  new Map(
    Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]: [string, unknown]) => [markText(key), key === trusted ? value : mark(value)]),
  );

/**
 * Renders in this thread.
 *
 * @throws {ConfigError} if the template cannot be parsed
 * @throws {InputError} if the template refuses the messages or passes a limit
 */
export function renderHere({ template, messages, variables, now, limits }: RenderRequest): Segment[] {
  const pieces = templateOf(template).render(
    { ...variables, messages: messages.map(markedMessage) },
    { now, limits },
  );
  return pieces.map(({ text, marked }) => ({ kind: marked ? 'user' : 'template', text }));
}

/** Renders in the thread that was started for it. */
export function answerOf(request: RenderRequest): RenderAnswer {
  try {
    return { segments: renderHere(request) };
  } catch (error) {
    if (!isWeftError(error)) throw error;
    const { message, where, hint } = error;
    const isConfig = error instanceof ConfigError;
    return { error: { isConfig, message: message.split('\n')[0] ?? '', where, hint } };
  }
}
