import { whiteSpace } from './casing.js';
import { SyntaxProblem } from './py-error.js';

/** Kinds of tokens; operators are their own kind. */
export type TokenKind =
  | 'data'
  | 'block_begin'
  | 'block_end'
  | 'variable_begin'
  | 'variable_end'
  | 'name'
  | 'string'
  | 'integer'
  | 'float'
  | 'operator'
  | 'eof';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly line: number;
}

const space = new RegExp(`[${whiteSpace}]+`, 'y');
const float = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const integer = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const name = /[\p{L}\p{N}\p{M}_\u00b7\u0387]+/uy;
const identifier = /^[\p{XID_Start}_]\p{XID_Continue}*$/u;
const string = /'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"/sy;
const operator = /\*\*|\/\/|==|!=|>=|<=|[+\-/*%~[\](){}><=.:|,;]/y;
const rawBegin = new RegExp(
  `\\{%([-+]?)[${whiteSpace}]*raw[${whiteSpace}]*(?:-%\\}[${whiteSpace}]*|%\\})`,
  'y',
);
const rawEnd = new RegExp(
  `\\{%([-+]?)[${whiteSpace}]*endraw[${whiteSpace}]*(?:\\+%\\}|-%\\}[${whiteSpace}]*|%\\}\\n?)`,
  'g',
);
const commentEnd = new RegExp(`\\+#\\}|-#\\}[${whiteSpace}]*|#\\}\\n?`, 'g');
const blockEnd = new RegExp(`\\+%\\}|-%\\}[${whiteSpace}]*|%\\}\\n?`, 'y');
const variableEnd = new RegExp(`-\\}\\}[${whiteSpace}]*|\\}\\}`, 'y');
const trailingSpace = new RegExp(`[${whiteSpace}]+$`);
const onlySpace = new RegExp(`^[${whiteSpace}]+$`);
const begins = /\{[%{#]/g;

/**
 * Takes the text of a template apart, with `trim_blocks` and `lstrip_blocks`. Line ends become `\n` first, and the
 * last one is dropped.
 *
 * @throws SyntaxProblem
 */
export function tokenize(template: string): Token[] {
  const source = template.replace(/\r\n|\r/g, '\n').replace(/\n$/, '');
  const tokens: Token[] = [];
  const lines = lineCounter(source);
  let at = 0;
  // Whether a line begins where the next text begins.
  let startsLine = true;

  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(source);
  };
  const push = (kind: TokenKind, text: string, where = at): void => {
    tokens.push({ kind, text, line: lines(where) });
  };
  const advance = (end: number): void => {
    at = end;
    startsLine = source[end - 1] === '\n';
  };
  /** The text before a tag, without the space that the tag takes. */
  const data = (end: number, sign: string, isVariable: boolean): void => {
    const text = source.slice(at, end);
    let kept = text;
    if (sign === '-') kept = text.replace(trailingSpace, '');
    else if (sign !== '+' && !isVariable) {
      const line = text.lastIndexOf('\n') + 1;
      if ((line > 0 || startsLine) && onlySpace.test(text.slice(line))) kept = text.slice(0, line);
    }
    if (kept !== '') push('data', kept);
  };

  while (at < source.length) {
    const begin = match(begins);
    if (!begin) {
      push('data', source.slice(at));
      break;
    }
    const start = begin.index;
    rawBegin.lastIndex = start;
    const raw = rawBegin.exec(source);
    if (raw) {
      data(start, raw[1] ?? '', false);
      advance(start + raw[0].length);
      const end = match(rawEnd);
      if (!end) throw new SyntaxProblem('Missing end of raw directive', lines(start));
      data(end.index, end[1] ?? '', false);
      advance(end.index + end[0].length);
      continue;
    }
    const next = source.charAt(start + 2);
    const sign = next === '-' || next === '+' ? next : '';
    data(start, sign, begin[0] === '{{');
    advance(start + 2 + sign.length);
    if (begin[0] === '{#') {
      const end = match(commentEnd);
      if (!end) throw new SyntaxProblem('Missing end of comment tag', lines(start));
      advance(end.index + end[0].length);
      continue;
    }
    const isBlock = begin[0] === '{%';
    push(isBlock ? 'block_begin' : 'variable_begin', begin[0], start);
    code(isBlock ? 'block_end' : 'variable_end', isBlock ? blockEnd : variableEnd);
  }
  at = source.length;
  push('eof', '');
  return tokens;

  /** The tokens of a tag, to its end. */
  function code(endKind: TokenKind, end: RegExp): void {
    const open: string[] = [];
    while (at < source.length) {
      const closed = open.length === 0 ? match(end) : null;
      if (closed) {
        push(endKind, closed[0]);
        advance(at + closed[0].length);
        return;
      }
      const blank = match(space);
      const found =
        blank ?? match(float) ?? match(integer) ?? match(name) ?? match(string) ?? match(operator);
      if (!found)
        throw new SyntaxProblem(`unexpected char ${JSON.stringify(source[at])} at ${at}`, lines(at));
      const text = found[0];
      if (!blank) token(text, open);
      advance(at + text.length);
    }
  }

  function token(text: string, open: string[]): void {
    const first = text.charAt(0);
    if (first === "'" || first === '"') push('string', unescaped(text.slice(1, -1), lines(at)));
    else if (/\d/.test(first))
      push(/^0[box]/i.test(text) || !/[.e]/i.test(text) ? 'integer' : 'float', text.replaceAll('_', ''));
    else if (/[\p{L}\p{N}\p{M}_\u00b7\u0387]/u.test(text)) {
      if (!identifier.test(text)) throw new SyntaxProblem('Invalid character in identifier', lines(at));
      push('name', text);
    } else {
      balance(text, open);
      push('operator', text);
    }
  }

  function balance(text: string, open: string[]): void {
    const closing = { '{': '}', '(': ')', '[': ']' }[text];
    if (closing !== undefined) open.push(closing);
    else if (text === '}' || text === ')' || text === ']') {
      const expected = open.pop();
      if (expected === undefined) throw new SyntaxProblem(`unexpected '${text}'`, lines(at));
      if (expected !== text)
        throw new SyntaxProblem(`unexpected '${text}', expected '${expected}'`, lines(at));
    }
  }
}

/** Numbers of lines for growing places. */
function lineCounter(source: string): (at: number) => number {
  let line = 1;
  let counted = 0;
  return (at) => {
    for (; counted < at; counted++) if (source.charCodeAt(counted) === 10) line++;
    return line;
  };
}

const simple: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** What Python's `unicode-escape` makes of a literal, of which characters beyond ASCII were escaped before. */
function unescaped(literal: string, line: number): string {
  if (!literal.includes('\\')) return literal;
  const ascii = literal.replace(/[^\0-\x7f]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000
      ? `\\u${code.toString(16).padStart(4, '0')}`
      : `\\U${code.toString(16).padStart(8, '0')}`;
  });
  const pattern = /\\(?:([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([^]))/g;
  return ascii.replace(
    pattern,
    (whole, octal?: string, x?: string, u?: string, long?: string, other?: string) => {
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
      const hex = x ?? u ?? long;
      if (hex !== undefined) {
        const code = Number.parseInt(hex, 16);
        if (code > 0x10ffff) throw new SyntaxProblem('illegal Unicode character', line);
        return String.fromCodePoint(code);
      }
      if (other === 'x' || other === 'u' || other === 'U' || other === 'N')
        throw new SyntaxProblem(`truncated or unknown \\${other} escape`, line);
      return simple[other ?? ''] ?? whole;
    },
  );
}
