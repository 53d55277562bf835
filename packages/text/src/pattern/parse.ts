import { ConfigError, UnsupportedError } from '@weft/errors';
import {
  bracketClass,
  escapedClasses,
  noWordSource,
  plainSet,
  propertyClass,
  rangeSource,
  single,
  wordSource,
  type CharacterSet,
} from './character-set.js';
import { emptyNode, type Anchor, type PatternNode } from './syntax.js';

interface Flags {
  readonly ignoreCase: boolean;
  /** `.` takes line feeds too. */
  readonly dotAll: boolean;
  /** White space and comments in the pattern mean nothing. */
  readonly extended: boolean;
}

const controls: ReadonlyMap<string, number> = new Map([
  ['t', 9],
  ['n', 10],
  ['v', 11],
  ['f', 12],
  ['r', 13],
  ['a', 7],
  ['e', 27],
]);

const anchors: ReadonlyMap<string, Anchor> = new Map([
  ['A', 'text start'],
  ['z', 'text end'],
  ['Z', 'last line end'],
  ['b', 'word boundary'],
  ['B', 'no word boundary'],
]);

const deepest = 250;

/** Reads a pattern in the syntax of Oniguruma with its Ruby rules, which the `tokenizers` library uses. */
class Parser {
  #at = 0;
  #depth = 0;

  constructor(readonly pattern: string) {}

  whole(): PatternNode {
    const node = this.#choice({ ignoreCase: false, dotAll: false, extended: false });
    if (this.#at < this.pattern.length) throw this.#wrong("has a ')' without its '('");
    return node;
  }

  #wrong(what: string): ConfigError {
    return new ConfigError({
      message: `The pattern ${what} at character ${this.#at}: ${this.#quoted()}`,
      where: 'tokenizer.json',
    });
  }

  #unsupported(what: string): UnsupportedError {
    return new UnsupportedError({
      message: `The pattern uses ${what}, which cannot be matched in bounded time: ${this.#quoted()}`,
      where: 'tokenizer.json',
      hint: 'Write the pattern without it.',
    });
  }

  #quoted(): string {
    return JSON.stringify(this.pattern.length > 120 ? `${this.pattern.slice(0, 120)}…` : this.pattern);
  }

  #peek(text: string): boolean {
    return this.pattern.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    const found = this.#peek(text);
    if (found) this.#at += text.length;
    return found;
  }

  #takeMatch(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.pattern);
    if (match) this.#at += match[0].length;
    return match;
  }

  #character(): number {
    const code = this.pattern.codePointAt(this.#at);
    if (code === undefined) throw this.#wrong('ends too early');
    this.#at += code > 0xffff ? 2 : 1;
    return code;
  }

  #choice(flags: Flags): PatternNode {
    if (++this.#depth > deepest) throw this.#wrong(`is nested deeper than ${deepest} groups`);
    const options = [this.#sequence(flags)];
    while (this.#take('|')) options.push(this.#sequence(flags));
    this.#depth--;
    return options.length === 1 ? options[0]! : { kind: 'choice', options };
  }

  #sequence(flags: Flags): PatternNode {
    const items: PatternNode[] = [];
    while (this.#at < this.pattern.length && !this.#peek('|') && !this.#peek(')')) {
      if (flags.extended && this.#takeMatch(/[\t-\r ]+|#[^\n]*/y)) continue;
      if (this.#takeMatch(/\(\?#[^)]*\)/y)) continue;
      const option = this.#takeMatch(/\(\?([imx]*)(?:-([imx]*))?\)/y);
      if (option) {
        // As in Ruby, the flags hold for the rest of the group, its other alternatives included.
        items.push(this.#choice(changed(flags, option[1]!, option[2] ?? '')));
        break;
      }
      items.push(this.#repeated(this.#atom(flags)));
    }
    return items.length === 1 ? items[0]! : { kind: 'sequence', items };
  }

  #repeated(atom: PatternNode): PatternNode {
    let node = atom;
    for (;;) {
      const sign = this.#takeMatch(/[*+?]|\{(\d+)(?:(,)(\d*))?\}|\{,(\d+)\}/y);
      if (!sign) return node;
      const braces = sign[0].startsWith('{');
      const least = braces ? Number(sign[1] ?? 0) : sign[0] === '+' ? 1 : 0;
      const upper = sign[4] ?? (sign[2] === undefined ? sign[1] : sign[3] || Infinity);
      const most = braces ? Number(upper) : sign[0] === '?' ? 1 : Infinity;
      if (most < least) throw this.#wrong('repeats at most fewer times than at least');
      const exact = braces && sign[2] === undefined && sign[4] === undefined;
      // Ruby has no possessive form of {n,m}, and no lazy one of {n}.
      const mode = !braces && this.#take('+') ? 'possessive' : !exact && this.#take('?') ? 'lazy' : 'greedy';
      node = { kind: 'repeat', item: node, least, most, mode };
    }
  }

  #atom(flags: Flags): PatternNode {
    if (this.#peek('(')) return this.#group(flags);
    if (this.#peek('[')) {
      this.#at++;
      return { kind: 'set', set: { ...this.#class(1), ignoreCase: flags.ignoreCase } };
    }
    if (this.#peek('\\')) return this.#escape(flags);
    if (/[*+?]/.test(this.pattern.charAt(this.#at))) throw this.#wrong('repeats nothing');
    if (this.#take('.'))
      return { kind: 'set', set: plainSet(flags.dotAll ? '[\\u{0}-\\u{10ffff}]' : '[^\\n]') };
    if (this.#take('^')) return { kind: 'anchor', anchor: 'line start' };
    if (this.#take('$')) return { kind: 'anchor', anchor: 'line end' };
    return { kind: 'set', set: single(this.#character(), flags.ignoreCase) };
  }

  #group(flags: Flags): PatternNode {
    const look = this.#takeMatch(/\(\?(<?)([=!])/y);
    const option = look ? null : this.#takeMatch(/\(\?([imx]*)(?:-([imx]*))?:/y);
    const atomic = !look && !option && this.#take('(?>');
    if (!look && !option && !atomic && !this.#takeMatch(/\(\?<[\p{L}_][\p{L}\p{Nd}_]*>/uy)) {
      if (this.#peek('(?') || this.#peek('(*')) throw this.#unsupported('a special group');
      this.#at++;
    }
    const item = this.#choice(option ? changed(flags, option[1]!, option[2] ?? '') : flags);
    if (!this.#take(')')) throw this.#wrong("has a '(' without its ')'");
    if (look) return { kind: 'look', ahead: look[1] === '', negative: look[2] === '!', item };
    return atomic ? { kind: 'atomic', item } : item;
  }

  #escape(flags: Flags): PatternNode {
    const letter = this.pattern.charAt(this.#at + 1);
    const anchor = anchors.get(letter);
    if (anchor) {
      this.#at += 2;
      return { kind: 'anchor', anchor };
    }
    if (letter === 'R') {
      this.#at += 2;
      const line: PatternNode = {
        kind: 'set',
        set: plainSet('[\\n-\\r\\u{85}\\u{2028}\\u{2029}]'),
      };
      const pair = [single(13, false), single(10, false)].map((set): PatternNode => ({ kind: 'set', set }));
      return {
        kind: 'atomic',
        item: { kind: 'choice', options: [{ kind: 'sequence', items: pair }, line] },
      };
    }
    if (/[1-9kg]/.test(letter)) throw this.#unsupported('a reference to a group');
    if (/[GKXyYNO]/.test(letter)) throw this.#unsupported(`\\${letter}`);
    const alone = letter === 'w' ? wordSource : letter === 'W' ? noWordSource : undefined;
    if (alone !== undefined) this.#at += 2;
    const source = alone ?? this.#classEscape();
    // Only characters and bracketed classes have other cases.
    if (typeof source === 'string') return { kind: 'set', set: plainSet(source) };
    return { kind: 'set', set: single(source, flags.ignoreCase) };
  }

  /** An escape that stands for a class (its source) or for one character (its code). */
  #classEscape(): string | number {
    const property = this.#takeMatch(/\\([pP])\{(\^?)([^{}]*)\}/y);
    if (property) {
      const known = propertyClass(property[3]!);
      if (known === undefined) throw this.#wrong(`names the unknown property '${property[3]!}'`);
      return (property[1] === 'P') === (property[2] === '^') ? known : `[^${known}]`;
    }
    const hexadecimal = this.#takeMatch(
      /\\x\{([0-9A-Fa-f]{1,8})\}|\\x([0-9A-Fa-f]{1,2})|\\u([0-9A-Fa-f]{4})/y,
    );
    if (hexadecimal) {
      const code = Number.parseInt((hexadecimal[1] ?? hexadecimal[2] ?? hexadecimal[3])!, 16);
      if (code > 0x10ffff) throw this.#wrong('names a character beyond U+10FFFF');
      return code;
    }
    const octal = this.#takeMatch(/\\0([0-7]{0,2})/y);
    if (octal) return Number.parseInt(`0${octal[1]!}`, 8);
    this.#at++;
    const code = this.#character();
    const letter = String.fromCodePoint(code);
    const known = escapedClasses.get(letter);
    if (known !== undefined) return known;
    if (/[xucCM]/.test(letter)) throw this.#unsupported(`\\${letter}`);
    return controls.get(letter) ?? code;
  }

  /** The inside of a bracketed class up to its closing bracket. */
  #class(depth: number): Omit<CharacterSet, 'ignoreCase'> {
    if (depth > deepest) throw this.#wrong(`is nested deeper than ${deepest} classes`);
    const negative = this.#take('^');
    const operands: string[] = [];
    let parts: string[] = [];
    let first = true;
    const finish = (): void => {
      operands.push(parts.length === 1 ? parts[0]! : `[${parts.join('')}]`);
      parts = [];
    };
    for (; ; first = false) {
      if (this.#at >= this.pattern.length) throw this.#wrong("has a '[' without its ']'");
      // A bracket that closes at once is a member, as in POSIX.
      if (!first && this.#take(']')) break;
      if (this.#take('&&')) {
        finish();
        continue;
      }
      const member = this.#classMember(depth);
      if (typeof member === 'number' && this.#takeMatch(/-(?!\])(?!&&)/y)) {
        const last = this.#classMember(depth);
        if (typeof last === 'string') {
          // A class cannot end a range; the hyphen stands for itself.
          parts.push(single(member, false).source, single(0x2d, false).source, last);
          continue;
        }
        if (last < member) throw this.#wrong('has a range that ends before it begins');
        parts.push(rangeSource(member, last));
      } else parts.push(typeof member === 'string' ? member : single(member, false).source);
    }
    finish();
    return { source: operands.length === 1 ? operands[0]! : `[${operands.join('&&')}]`, negative };
  }

  #classMember(depth: number): string | number {
    const named = this.#takeMatch(/\[:(\^?)([A-Za-z]+):\]/y);
    if (named) {
      const known = bracketClass(named[2]!);
      if (known === undefined) throw this.#wrong(`names the unknown class '${named[2]!}'`);
      return named[1] === '^' ? `[^${known}]` : known;
    }
    if (this.#take('[')) {
      const { source, negative } = this.#class(depth + 1);
      return negative ? `[^${source}]` : source;
    }
    if (this.#take('\\b')) return 8;
    if (this.#peek('\\')) return this.#classEscape();
    return this.#character();
  }
}

const changed = (flags: Flags, on: string, off: string): Flags => {
  const flag = (letter: string, now: boolean): boolean =>
    off.includes(letter) ? false : on.includes(letter) || now;
  return {
    ignoreCase: flag('i', flags.ignoreCase),
    dotAll: flag('m', flags.dotAll),
    extended: flag('x', flags.extended),
  };
};

/**
 * Takes a pattern of tokenizer.json apart: Oniguruma's syntax with its Ruby rules.
 *
 * @throws {ConfigError} if it is not a pattern
 * @throws {UnsupportedError} for references to groups and other parts that need more than linear time
 */
export const parsePattern = (pattern: string): PatternNode =>
  pattern === '' ? emptyNode : new Parser(pattern).whole();
