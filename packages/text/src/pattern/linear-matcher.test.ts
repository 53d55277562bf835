import { ConfigError, InputError, UnsupportedError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { findAll } from './linear-matcher.js';
import { parsePattern } from './parse.js';
import { compileProgram } from './program.js';
import { publishedPatterns } from './published.js';
import { compilePattern, findLinearly, replaceMatches } from './text-pattern.js';

const programOf = (pattern: string): ReturnType<typeof compileProgram> =>
  compileProgram(parsePattern(pattern), pattern);

const matchesOf = (pattern: string, text: string): string[] => {
  const ranges = findLinearly(pattern)(text);
  return Array.from({ length: ranges.length / 2 }, (_, at) => text.slice(ranges[2 * at], ranges[2 * at + 1]));
};

/** Patterns that take exponential or square time on an engine that goes back step by step, with the text for it. */
const slow: readonly (readonly [pattern: string, text: (length: number) => string])[] = [
  ['(a+)+$', (length) => `${'a'.repeat(length)}b`],
  ['(a|a)*b', (length) => 'a'.repeat(length)],
  ['(?:a?){20}a{20}b', (length) => 'a'.repeat(length)],
  ['(.*)(.*)(.*)x', (length) => 'a'.repeat(length)],
  ['\\s+$', (length) => `${' '.repeat(length)}a`],
  ['\\s+(?!\\S)|\\s+$', (length) => `${' '.repeat(length)}a`],
  ['(?=.*b)a|a', (length) => 'a'.repeat(length)],
  ['(?=.*b)a|a', (length) => `${'a'.repeat(length)}b`],
  ['(?!.*b)a', (length) => `${'a'.repeat(length)}b`],
  ['(?>a+)b|a', (length) => 'a'.repeat(length)],
  ['a*+b|a', (length) => 'a'.repeat(length)],
  ['(?<=a{50})b|(?<!(?=a*c)a)a', (length) => 'a'.repeat(length)],
  ['(?<=b.*)a|(?<!c.*)a', (length) => 'a'.repeat(length)],
  ['((a*)*)*b', (length) => 'a'.repeat(length)],
  ['(?=(?:a*)*c)a|(?=(?:b|a)*+d)a', (length) => 'a'.repeat(length)],
  ['[\\p{L}&&[^b]]*[\\p{L}]*c', (length) => 'é'.repeat(length)],
];

describe('the work of the linear engine', () => {
  it.each(slow)('grows evenly with the text: %s', (pattern, text) => {
    const program = programOf(pattern);
    const steps = (length: number): number => findAll(program, text(length)).steps;
    expect(steps(4000) / steps(2000)).toBeLessThan(2.2);
    expect(steps(8000) / steps(4000)).toBeLessThan(2.2);
  });

  it.each([...publishedPatterns])('grows evenly for the published pattern %s', (pattern) => {
    const program = programOf(pattern);
    for (const unit of [' ', '\n', ' \n', 'a', 'Aa', 'A', '1', '!', "'", '漢', 'é\u0301', '\r'])
      for (const end of ['', 'x', '1', '.', ' ', '\0']) {
        const steps = (length: number): number => findAll(program, unit.repeat(length) + end).steps;
        expect(steps(800) / steps(400), JSON.stringify([unit, end])).toBeLessThan(2.2);
      }
  });

  it('is refused where a character takes hundreds of steps', () => {
    expect(() => findLinearly('(?:a{0,3000}){3}b')('a'.repeat(10_000))).toThrow(InputError);
  });
});

describe('the linear engine', () => {
  it.each<[pattern: string, text: string, matches: string[]]>([
    ['(a+)+$', 'aaa b aa', ['aa']],
    ['(?=(a*)b)a', 'aaab aa', ['a', 'a', 'a']],
    ['(?<=x|yz)a', 'xa yza za', ['a', 'a']],
    ['(?<=\\bx+|y(?=b)b)a', 'xxa zxa yba ba', ['a', 'a']],
    ['(?<!\\d)\\w', '1a b', ['1', 'b']],
    ['(?>a|ab)c|.', 'abc', ['a', 'b', 'c']],
    ['a??b|a', 'aab', ['a', 'ab']],
    ['(?i:straße|σ)', 'STRAßE Σ ς', ['STRAßE', 'Σ', 'ς']],
    ['(?i)[^a]', 'aAb', ['b']],
    ['(?x) a b # and more\n c', 'abc', ['abc']],
    ['(?m:a.b)|a.c', 'a\nb a\nc', ['a\nb']],
    ['a(?i)b|c', 'aB aC C', ['aB', 'aC']],
    ['^b|a$', 'a\nb\n', ['a', 'b']],
    ['\\x{1F642}+', 'a🙂🙂b', ['🙂🙂']],
  ])('finds with %s in %j', (pattern, text, matches) => {
    expect(matchesOf(pattern, text)).toEqual(matches);
  });

  it('puts no empty match right behind another match', () => {
    expect(findLinearly('b*')('abba')).toEqual([0, 0, 1, 3, 4, 4]);
    expect(replaceMatches(findLinearly('b*'), 'abba', '-')).toBe('-a-a-');
    expect(replaceMatches(compilePattern({ String: '' }), 'ab', '-')).toBe('-a-b-');
  });

  it('takes a text for what it is, and replaces by a text for what it is', () => {
    expect(replaceMatches(compilePattern({ String: '.*' }), 'a.*b.*', '$&')).toBe('a$&b$&');
  });
});

describe('a pattern', () => {
  it.each([
    '(a',
    'a)',
    '[a',
    '*a',
    'a{3,2}',
    '[b-a]',
    '\\p{Nothing}',
    '[[:nothing:]]',
    '\\',
    '[\\',
    '\\x{110000}',
  ])('that is none is refused: %s', (pattern) =>
    expect(() => compilePattern({ Regex: pattern })).toThrow(ConfigError),
  );

  it.each(['(a)\\1', '\\k<x>', '\\Ga', '\\K', '(?(1)a)', '\\X'])(
    'that needs more than linear time is refused: %s',
    (pattern) => expect(() => compilePattern({ Regex: pattern })).toThrow(UnsupportedError),
  );

  it('that is too large or too deep is refused', () => {
    expect(() => findLinearly('(?:a{1000}){1000}')).toThrow(ConfigError);
    expect(() => findLinearly('(?:(?:(?:a{0,99}){0,99}){0,99}){0,99}')).toThrow(ConfigError);
    expect(() => findLinearly(`${'('.repeat(5000)}a${')'.repeat(5000)}`)).toThrow(ConfigError);
    expect(() => findLinearly(`${'['.repeat(5000)}a${']'.repeat(5000)}`)).toThrow(ConfigError);
  });
});
