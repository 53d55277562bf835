import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findByJavaScript, findLinearly } from './pattern/text-pattern.js';
import { publishedPatterns } from './pattern/published.js';
import { createStreamingDecoder } from './streaming-decoder.js';
import { createTokenizer, type Tokenizer, type TokenizerJson } from './tokenizer.js';

/** Of one text its ids, and the texts of these and of random ids, with and without special tokens. */
type Answers = readonly [ids: readonly number[], ...decoded: readonly string[]];

interface Corpus {
  readonly texts: number;
  readonly block: number;
  readonly pools: readonly (readonly string[])[];
  readonly tokenizers: Readonly<
    Record<
      string,
      { readonly size: number; readonly digests: readonly string[]; readonly shown: readonly Answers[] }
    >
  >;
}

interface PatternCases {
  readonly published: number;
  /** Of each text its number and offsets in characters: between matches, and of all pieces. */
  readonly cases: readonly (readonly [
    pattern: string,
    answers: readonly (readonly [seed: number, between: readonly number[], pieces: readonly number[]])[],
  ])[];
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`./__fixtures__/${name}.json`, import.meta.url), 'utf8'));

const corpus = read('corpus/corpus') as Corpus;
const patterns = read('patterns') as PatternCases;

/** Numbers in `[0, bound)` from a linear congruential generator, the same as in `tools/golden/tokenizer_corpus.py`. */
function dice(seed: number): (bound: number) => number {
  let state = Math.imul(seed, 2654435761) >>> 0;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state * bound) / 2 ** 32);
  };
}

function textOf(seed: number): string {
  const { pools } = corpus;
  const roll = dice(seed);
  let text = '';
  let pool = pools[roll(pools.length)]!;
  for (let left = 1 + roll(14); left > 0; left--) {
    if (roll(3) === 0) pool = pools[roll(pools.length)]!;
    text += pool[roll(pool.length)]!;
    if (roll(3) === 0) text += ' ';
  }
  return text;
}

function randomIds(seed: number, size: number): number[] {
  const roll = dice(seed + corpus.texts);
  return Array.from({ length: 1 + roll(9) }, () => roll(size));
}

function answersOf(tokenizer: Tokenizer, size: number, seed: number): Answers {
  const ids = tokenizer.encode(textOf(seed), { addSpecialTokens: false });
  const decoded = [ids, randomIds(seed, size)].flatMap((list) =>
    [false, true].map((skipSpecialTokens) => tokenizer.decode(list, { skipSpecialTokens })),
  );
  return [ids, ...decoded];
}

// WEFT_CORPUS=all compares all 20,000 texts instead of a thousand.
const blocks = process.env['WEFT_CORPUS'] === 'all' ? corpus.texts / corpus.block : 1;

describe.each(Object.entries(corpus.tokenizers))(
  'the tokenizer of kind %s, against the tokenizers library',
  (name, { size, digests, shown }) => {
    const tokenizer = createTokenizer(read(`corpus/${name}`) as TokenizerJson);

    it('gives the same ids and texts', () => {
      for (const [seed, expected] of shown.entries())
        expect(answersOf(tokenizer, size, seed), JSON.stringify(textOf(seed))).toEqual(expected);
    });

    it(`gives the same ids and texts for ${blocks * corpus.block} texts`, { timeout: 600_000 }, () => {
      for (let block = 0; block < blocks; block++) {
        const hash = createHash('sha256');
        for (let seed = block * corpus.block; seed < (block + 1) * corpus.block; seed++) {
          const [ids, ...decoded] = answersOf(tokenizer, size, seed);
          hash.update(`${ids.join(',')}\t${decoded.join('\t')}\n`);
        }
        expect(hash.digest('hex').slice(0, 24), `texts from ${block * corpus.block}`).toBe(digests[block]);
      }
    });

    it('shows the same text token by token as at once', () => {
      for (let seed = 0; seed < 150; seed++) {
        const skipSpecialTokens = seed % 2 === 0;
        const ids = [
          ...tokenizer.encode(textOf(seed), { addSpecialTokens: false }),
          ...randomIds(seed, size),
        ];
        const stream = createStreamingDecoder(tokenizer, { skipSpecialTokens });
        const text = ids.map((id) => stream.push(id)).join('') + stream.flush();
        expect(text).toBe(tokenizer.decode(ids, { skipSpecialTokens }));
      }
    });
  },
);

/** What lies between matches, and all pieces, as offsets in characters; empty pieces are left out. */
function offsetsOf(text: string, ranges: readonly number[]): { between: number[]; pieces: number[] } {
  const units = [...text].reduce<number[]>(
    (ends, character) => [...ends, ends.at(-1)! + character.length],
    [0],
  );
  const characterOf = new Map(units.map((unit, at) => [unit, at]));
  const between: number[] = [];
  const pieces: number[] = [];
  const add = (lists: readonly number[][], start: number, end: number): void => {
    if (start < end) for (const list of lists) list.push(characterOf.get(start)!, characterOf.get(end)!);
  };
  let done = 0;
  for (let at = 0; at < ranges.length; at += 2) {
    add([between, pieces], done, ranges[at]!);
    add([pieces], ranges[at]!, ranges[at + 1]!);
    done = ranges[at + 1]!;
  }
  add([between, pieces], done, text.length);
  return { between, pieces };
}

describe('a pattern, against Oniguruma', () => {
  const published = patterns.cases.slice(0, patterns.published);

  it.each(published)('of a published tokenizer finds the same on both engines: %s', (pattern, answers) => {
    expect(publishedPatterns.has(pattern)).toBe(true);
    for (const find of [findByJavaScript(pattern), findLinearly(pattern)])
      for (const [seed, between, pieces] of answers)
        expect(offsetsOf(textOf(seed), find(textOf(seed))), textOf(seed)).toEqual({ between, pieces });
  });

  it('drawn at random finds the same', () => {
    for (const [pattern, answers] of patterns.cases.slice(patterns.published)) {
      const find = findLinearly(pattern);
      for (const [seed, between, pieces] of answers)
        expect(offsetsOf(textOf(seed), find(textOf(seed))), `${pattern} in ${textOf(seed)}`).toEqual({
          between,
          pieces,
        });
    }
  });

  it('of a published tokenizer finds the same on both engines in a thousand more texts', () => {
    for (const [pattern] of published) {
      const [fast, linear] = [findByJavaScript(pattern), findLinearly(pattern)];
      for (let seed = 1000; seed < 2000; seed += published.length)
        expect(fast(textOf(seed)), `${pattern} in ${textOf(seed)}`).toEqual(linear(textOf(seed)));
    }
  });
});
