import { InputError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { createStopMatcher } from './stop-strings.js';

function run(
  stops: readonly string[],
  chunks: readonly string[],
): { text: string; stopped: string | undefined } {
  const matcher = createStopMatcher(stops);
  let text = '';
  let stopped: string | undefined;
  for (const chunk of chunks) {
    const result = matcher.push(chunk);
    text += result.text;
    stopped = result.stopped;
  }
  return { text: text + matcher.flush(), stopped };
}

describe('createStopMatcher', () => {
  it('ends the text before a stop string that is spread over chunks', () => {
    expect(run(['</end>'], ['a </', 'en', 'd> b', 'c'])).toEqual({ text: 'a ', stopped: '</end>' });
  });

  it('shows text at once that cannot begin a stop string', () => {
    const matcher = createStopMatcher(['STOP']);
    expect(matcher.push('one S')).toEqual({ text: 'one ' });
    expect(matcher.push('T')).toEqual({ text: '' });
    expect(matcher.push('T')).toEqual({ text: 'STT' });
  });

  it('gives back what it held when the text ends', () => {
    expect(run(['User:'], ['the Us', 'er'])).toEqual({ text: 'the User', stopped: undefined });
  });

  it('finds a stop string behind a false beginning', () => {
    expect(run(['aab'], ['a', 'a', 'a', 'b'])).toEqual({ text: 'a', stopped: 'aab' });
  });

  it('finds the same however the text is cut', () => {
    const stops = ['abc', 'bc', 'cab', 'aa'];
    let state = 5;
    const roll = (bound: number): number => (state = (state * 16807) % 2147483647) % bound;
    for (let round = 0; round < 500; round++) {
      const text = Array.from({ length: roll(12) }, () => 'abcd'.charAt(roll(4))).join('');
      const at = roll(text.length + 1);
      const whole = run(stops, [text]);
      expect(run(stops, text.split(''))).toEqual(whole);
      expect(run(stops, [text.slice(0, at), text.slice(at)])).toEqual(whole);
    }
  });

  it('lets everything through without stop strings and refuses an empty one', () => {
    expect(run([], ['a', 'b'])).toEqual({ text: 'ab', stopped: undefined });
    expect(() => createStopMatcher([''])).toThrow(InputError);
  });
});
