import { describe, expect, it } from 'vitest';
import { Automaton } from './automaton.js';

const matches = (texts: readonly string[], text: string): [string, number][] => {
  const found: [string, number][] = [];
  new Automaton(texts.map((one, at) => [one, at])).scan(text, (number, start, end) => {
    expect(text.slice(start, end)).toBe(texts[number]);
    found.push([texts[number]!, end]);
  });
  return found;
};

describe('an automaton', () => {
  it('finds what a search text by text finds, by end and longest first', () => {
    let state = 7;
    const roll = (bound: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * bound);
    };
    const word = (longest: number): string =>
      Array.from({ length: 1 + roll(longest) }, () => ['a', 'b', '🙂', 'é'][roll(4)]).join('');
    for (let round = 0; round < 200; round++) {
      const texts = [...new Set(Array.from({ length: 1 + roll(8) }, () => word(5)))];
      const text = word(30);
      const expected = texts
        .flatMap((one) =>
          Array.from({ length: text.length }, (_, at) => at)
            .filter((at) => text.startsWith(one, at))
            .map((at): [string, number] => [one, at + one.length]),
        )
        .sort(([a, endOfA], [b, endOfB]) => endOfA - endOfB || b.length - a.length);
      expect(matches(texts, text), `${JSON.stringify(texts)} in ${text}`).toEqual(expected);
    }
  });

  it('leaves shorter ones with the same end out when told to', () => {
    const found: number[] = [];
    const automaton = new Automaton([
      ['bc', 1],
      ['abc', 2],
      ['c', 3],
    ]);
    automaton.scan('abcc', (number) => found.push(number) > 0);
    expect(found).toEqual([2, 3]);
  });

  it('takes the last of equal texts, and none that is empty or half a character', () => {
    const automaton = new Automaton([
      ['a', 1],
      ['a', 2],
      ['', 3],
      ['\uD83D', 4],
    ]);
    const found: number[] = [];
    automaton.scan('a🙂', (number) => void found.push(number));
    expect(found).toEqual([2]);
  });

  it('finds the longest text at the beginning', () => {
    const automaton = new Automaton(['a', 'abc', 'abcde', 'b'].map((text, at) => [text, at]));
    expect(automaton.longestBeginning('abcdx')).toEqual({ number: 1, length: 3 });
    expect(automaton.longestBeginning('xabc')).toBeUndefined();
    expect(automaton.longestBeginning('')).toBeUndefined();
  });

  it.each([
    ['one text longer than what is searched', [`${'a'.repeat(20_000)}b`]],
    ['a text that fails at its end again and again', [`${'a'.repeat(500)}b`, `${'a'.repeat(400)}c`]],
    ['every length of one letter', Array.from({ length: 100 }, (_, at) => 'a'.repeat(at + 1))],
  ])('takes work that grows evenly with the text for %s', (_, texts) => {
    const automaton = new Automaton(texts.map((text, at) => [text, at]));
    const work = (length: number): number => automaton.scan(`${'a'.repeat(length - 1)}d`, () => undefined);
    expect(work(8000) / work(4000)).toBeLessThan(2.1);
    expect(work(16_000) / work(8000)).toBeLessThan(2.1);
  });
});
