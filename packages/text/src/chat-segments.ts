import { InputError } from '@weft/errors';
import type { TextRange } from './literal-text.js';
import type { Tokenizer } from './tokenizer.js';

/** Text of a rendered conversation by its origin: `user` text is never read as special tokens. */
export interface Segment {
  readonly kind: 'template' | 'user';
  readonly text: string;
}

/** What the search for the origin of rendered text needs. */
export interface RenderSegmentsOptions<Message> {
  readonly messages: readonly Message[];
  readonly specialTokens: ReadonlySet<string>;
  /** Text whose private-use characters must not serve as marks. */
  readonly avoid: string;
  readonly render: (messages: readonly Message[]) => string;
}

function mapStrings(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapStrings(item, change)]));
}

/** Changes all text of messages but the fields that only the program sets: roles, and the types of parts. */
function mapUserText<Message>(messages: readonly Message[], change: (text: string) => string): Message[] {
  const part = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return mapStrings(value, change);
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, key === 'type' ? item : mapStrings(item, change)]),
    );
  };
  return messages.map((message) =>
    Object.fromEntries(
      Object.entries(message as object).map(([key, value]) => {
        if (key === 'role') return [key, value];
        return [key, Array.isArray(value) ? value.map(part) : mapStrings(value, change)];
      }),
    ),
  ) as Message[];
}

function checkFieldNames(value: unknown, specials: readonly string[]): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    const special = specials.find((token) => key.includes(token));
    if (special !== undefined && !Array.isArray(value))
      throw new InputError({
        message: `A field of a message is named '${key}', which holds the special token '${special}'.`,
        where: 'messages',
        hint: 'Only the values of fields can be kept apart from the template. Rename the field.',
      });
    checkFieldNames(item, specials);
  }
}

function* privateCharacters(avoid: string): Generator<string, never> {
  const used = new Set(avoid);
  for (let code = 0xe000; code <= 0xf8ff; code++) {
    const character = String.fromCharCode(code);
    if (!used.has(character)) yield character;
  }
  throw new InputError({
    message: 'The messages use every private-use character (U+E000 to U+F8FF); a few must stay free.',
    where: 'messages',
  });
}

const join = (segments: readonly Segment[]): string => segments.map((segment) => segment.text).join('');

function merged(segments: readonly Segment[]): Segment[] {
  const result: Segment[] = [];
  for (const segment of segments) {
    const last = result.at(-1);
    if (segment.text === '') continue;
    if (last?.kind === segment.kind) result[result.length - 1] = { ...last, text: last.text + segment.text };
    else result.push(segment);
  }
  return result;
}

/** Renders with a mark in place of each text, so everything between the marks is the template's own. */
function renderMarked<Message>(options: RenderSegmentsOptions<Message>, keepSpace: boolean): Segment[] {
  const free = privateCharacters(options.avoid);
  const [open, close] = [free.next().value, free.next().value];
  const texts: string[] = [];
  const rendered = options.render(
    mapUserText(options.messages, (text) => {
      const core = keepSpace ? text.trim() : text;
      if (core === '') return text;
      const start = text.indexOf(core);
      return `${text.slice(0, start)}${open}${texts.push(core) - 1}${close}${text.slice(start + core.length)}`;
    }),
  );
  const segments = rendered.split(open).flatMap((piece, at): Segment[] => {
    if (at === 0) return [{ kind: 'template', text: piece }];
    const end = piece.indexOf(close);
    return [
      { kind: 'user', text: texts[Number(piece.slice(0, end))] ?? '' },
      { kind: 'template', text: piece.slice(end + 1) },
    ];
  });
  return merged(segments);
}

/** Ranges of a text that are special tokens, or that could become one with text before or after it. */
function dangers(text: string, specials: readonly string[]): TextRange[] {
  const ranges: TextRange[] = [];
  for (const special of specials) {
    for (let at = text.indexOf(special); at >= 0; at = text.indexOf(special, at + 1))
      ranges.push([at, at + special.length]);
    for (let length = Math.min(special.length - 1, text.length); length > 0; length--) {
      const beginning = special.slice(0, length);
      const end = special.slice(special.length - length);
      // White space alone is left, since templates trim it; a token needs more than that from the text.
      if (text.endsWith(beginning) && beginning.trim() !== '')
        ranges.push([text.length - length, text.length]);
      if (text.startsWith(end) && end.trim() !== '') ranges.push([0, length]);
    }
  }
  return ranges;
}

/** Renders with single characters exchanged for private ones, and changes them back in the result. */
function renderExchanged<Message>(
  options: RenderSegmentsOptions<Message>,
  chosen: (text: string) => (character: string, at: number) => boolean,
): Segment[] {
  const free = privateCharacters(options.avoid);
  const there = new Map<string, string>();
  const back = new Map<string, string>();
  const exchange = (character: string): string => {
    const known = there.get(character);
    if (known !== undefined) return known;
    const mark = free.next().value;
    there.set(character, mark);
    back.set(mark, character);
    return mark;
  };
  const rendered = options.render(
    mapUserText(options.messages, (text) => {
      const isChosen = chosen(text);
      return text
        .split('')
        .map((character, at) => (isChosen(character, at) ? exchange(character) : character))
        .join('');
    }),
  );
  return merged(
    rendered.split('').map((character): Segment => {
      const original = back.get(character);
      return original === undefined
        ? { kind: 'template', text: character }
        : { kind: 'user', text: original };
    }),
  );
}

/** The special tokens that a reader of the segments would find, in order. */
function foundSpecials(segments: readonly Segment[], specials: readonly string[]): string[] {
  const text = segments
    .map(({ kind, text: own }) => (kind === 'user' ? '\uE000'.repeat(own.length) : own))
    .join('');
  const found: { at: number; special: string }[] = [];
  for (const special of specials)
    for (let at = text.indexOf(special); at >= 0; at = text.indexOf(special, at + 1))
      found.push({ at, special });
  return found.sort((a, b) => a.at - b.at).map(({ special }) => special);
}

/**
 * Renders messages and finds which text of the result comes from them.
 *
 * First with a mark for each text: if the marks filled in give the plain rendering, the origin of every character is
 * known. Otherwise the template looks at the text or changes it. Then only the characters of special tokens within the
 * texts are exchanged for private ones, so that the template works on the rest as usual. If the template still made a
 * special token out of text, every character that special tokens are made of is exchanged.
 */
export function renderSegments<Message>(options: RenderSegmentsOptions<Message>): Segment[] {
  const specials = [...options.specialTokens].filter((special) => special !== '');
  checkFieldNames(options.messages, specials);
  const plain = options.render(options.messages);
  const spaced = specials.some((special) => special.trim() !== special);
  for (const keepSpace of spaced ? [false] : [false, true]) {
    const segments = attempt(() => renderMarked(options, keepSpace));
    if (segments && join(segments) === plain) return segments;
  }
  const careful = renderExchanged(options, (text) => {
    const ranges = dangers(text, specials);
    return (_, at) => ranges.some(([start, end]) => start <= at && at < end);
  });
  const alphabet = new Set(
    specials
      .join('')
      .replace(/\p{White_Space}/gu, '')
      .split(''),
  );
  const strict = attempt(() => renderExchanged(options, () => (character) => alphabet.has(character)));
  if (!strict) return careful;
  const same = foundSpecials(careful, specials).join('\0') === foundSpecials(strict, specials).join('\0');
  return same ? careful : strict;
}

function attempt<Value>(action: () => Value): Value | undefined {
  try {
    return action();
  } catch (error) {
    // A template may refuse marks where it takes the real text; the next way is tried then.
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/**
 * Encodes a rendered conversation: special tokens are parsed in template text only. For text without special tokens
 * the ids equal those of the whole rendered text encoded at once, since user text does not end a word.
 *
 * The tokens of the post-processor are not added: a chat template writes its own.
 */
export function encodeSegments(
  tokenizer: Pick<Tokenizer, 'encode'>,
  segments: readonly Segment[],
): { ids: number[] } {
  const literal: TextRange[] = [];
  let at = 0;
  for (const { kind, text } of segments) {
    if (kind === 'user') literal.push([at, at + text.length]);
    at += text.length;
  }
  return { ids: tokenizer.encode(join(segments), { addSpecialTokens: false, literal }) };
}
