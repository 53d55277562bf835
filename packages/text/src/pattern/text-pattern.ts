import { ConfigError, shown } from '@weft/errors';
import { findAll } from './linear-matcher.js';
import { parsePattern } from './parse.js';
import { compileProgram } from './program.js';
import { javaScriptSource, publishedPatterns } from './published.js';

/** A `pattern` of tokenizer.json: a text, or a regular expression in Oniguruma's syntax. */
export interface PatternConfig {
  readonly String?: string;
  readonly Regex?: string;
}

/** Finds all matches in a text: their starts and ends in UTF-16 units, in turn, in order and without overlap. */
export type FindMatches = (text: string) => number[];

/** Matches of a literal text. */
function literal(content: string): FindMatches {
  return (text) => {
    const ranges: number[] = [];
    for (let at = text.indexOf(content); at >= 0; at = text.indexOf(content, at + content.length))
      ranges.push(at, at + content.length);
    return ranges;
  };
}

/** Matches by JavaScript's own engine. Its time may grow exponentially with the text, so the pattern must be known. */
export function findByJavaScript(pattern: string): FindMatches {
  const compiled = new RegExp(javaScriptSource(parsePattern(pattern)), 'gv');
  return (text) => {
    const ranges: number[] = [];
    compiled.lastIndex = 0;
    for (let match = compiled.exec(text); match; match = compiled.exec(text))
      ranges.push(match.index, match.index + match[0].length);
    return ranges;
  };
}

/** Matches by the engine whose time grows evenly with the text, whatever the pattern. */
export function findLinearly(pattern: string): FindMatches {
  const program = compileProgram(parsePattern(pattern), pattern);
  return (text) => findAll(program, text).ranges;
}

/**
 * Compiles a `pattern` of tokenizer.json. Those of published tokenizers run on JavaScript's own engine, all others on
 * one whose time grows evenly with the text; both give what the `tokenizers` library finds.
 *
 * @throws {ConfigError} if it is not a pattern
 * @throws {UnsupportedError} if it refers to groups or uses other parts that need more than linear time
 */
export function compilePattern(config: PatternConfig): FindMatches {
  if (typeof config !== 'object' || config === null)
    throw new ConfigError({
      message: `A pattern is ${shown(config)}, expected { "String": … } or { "Regex": … }.`,
      where: 'tokenizer.json',
    });
  const { String: text, Regex: pattern } = config;
  for (const value of [text, pattern] as readonly unknown[])
    if (value !== undefined && typeof value !== 'string')
      throw new ConfigError({
        message: `A pattern is ${JSON.stringify(value)}, expected a text.`,
        where: 'tokenizer.json',
      });
  if (pattern === undefined) return text ? literal(text) : findLinearly('');
  return publishedPatterns.has(pattern) ? findByJavaScript(pattern) : findLinearly(pattern);
}

/** Replaces all matches by a text. */
export function replaceMatches(find: FindMatches, text: string, content: string): string {
  const ranges = find(text);
  if (ranges.length === 0) return text;
  let result = '';
  let done = 0;
  for (let at = 0; at < ranges.length; at += 2) {
    result += text.slice(done, ranges[at]) + content;
    done = ranges[at + 1]!;
  }
  return result + text.slice(done);
}
