import { Automaton } from '../automaton.js';
import { byteTokens, unknownText, type Encode, type Vocabulary } from './vocabulary.js';

/** What a Unigram vocabulary needs beside its tokens. */
export interface UnigramConfig {
  /** Log probability by id. */
  readonly scores: readonly number[];
  readonly unknownId: number | undefined;
  readonly byteFallback: boolean;
}

/** A character that is no token costs this much more than the least likely token (SentencePiece's kUnkPenalty). */
const unknownPenalty = 10;

const splitsPair = (word: string, at: number): boolean =>
  at < word.length && (word.charCodeAt(at) & 0xfc00) === 0xdc00;

/** UTF-16 units of the character that ends at a place. */
const lastLength = (word: string, end: number): number =>
  (word.charCodeAt(end - 1) & 0xfc00) === 0xdc00 ? 2 : 1;

/**
 * Unigram encoding of one word: the tokens whose probabilities have the largest product. Where two ways are equal, the
 * one whose last differing token is longer counts. Unknown characters next to each other are one piece.
 */
export function unigram({ scores, unknownId, byteFallback }: UnigramConfig, vocabulary: Vocabulary): Encode {
  const automaton = new Automaton([...vocabulary.ids]);
  const bytesOf = byteTokens(vocabulary);
  const unknownScore = scores.reduce((least, score) => Math.min(least, score), Infinity) - unknownPenalty;

  return (word) => {
    const best = new Float64Array(word.length + 1);
    const from = new Int32Array(word.length + 1).fill(-1);
    const tokens = new Int32Array(word.length + 1);
    const offer = (start: number, end: number, score: number, token: number): void => {
      const whole = best[start]! + score;
      if (from[end]! >= 0 && whole <= best[end]!) return;
      best[end] = whole;
      from[end] = start;
      tokens[end] = token;
    };
    let isToken = false;
    automaton.scan(
      word,
      (token, start, end) => {
        offer(start, end, scores[token]!, token);
        isToken ||= end - start === lastLength(word, end);
      },
      (end) => {
        if (!isToken && !splitsPair(word, end)) offer(end - lastLength(word, end), end, unknownScore, -1);
        isToken = false;
      },
    );
    return idsOf(word, from, tokens);
  };

  function idsOf(word: string, from: Int32Array, tokens: Int32Array): number[] {
    const ids: number[] = [];
    let unknownEnd = -1;
    const unknown = (start: number): void => {
      if (unknownEnd < 0) return;
      const text = word.slice(start, unknownEnd);
      const whole = vocabulary.ids.get(text);
      const found = whole !== undefined ? [whole] : byteFallback ? bytesOf(text) : undefined;
      if (!found && unknownId === undefined) throw unknownText(text, vocabulary);
      ids.push(...[...(found ?? [unknownId!])].reverse());
      unknownEnd = -1;
    };
    for (let end = word.length; end > 0; end = from[end]!) {
      // The unknown token's own text is unknown text, too.
      if (tokens[end] === -1 || tokens[end] === unknownId) {
        if (unknownEnd < 0) unknownEnd = end;
        continue;
      }
      unknown(end);
      ids.push(tokens[end]!);
    }
    unknown(0);
    return ids.reverse();
  }
}
