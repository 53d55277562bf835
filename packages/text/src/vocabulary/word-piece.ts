import { Automaton } from '../automaton.js';
import { unknownText, type Encode, type Vocabulary } from './vocabulary.js';

/** What WordPiece needs beside its vocabulary. */
export interface WordPieceConfig {
  readonly unknownId: number | undefined;
  /** What tokens that do not begin a word begin with. */
  readonly prefix: string;
  /** Longer words, in characters, become the unknown token. */
  readonly longestWord: number;
}

const reversed = (text: string): string => text.split('').reverse().join('');

/**
 * WordPiece encoding of one word: again and again the longest token that fits. A word that does not come out is
 * unknown as a whole.
 */
export function wordPiece(config: WordPieceConfig, vocabulary: Vocabulary): Encode {
  const beginnings = new Automaton([...vocabulary.ids]);
  // Read backwards, the longest text that ends at a place is the longest token that begins there.
  const backwards = new Automaton(
    [...vocabulary.ids]
      .filter(([token]) => token.startsWith(config.prefix))
      .map(([token, id]) => [reversed(token.slice(config.prefix.length)), id] as const),
  );
  const unknown = (word: string): number[] => {
    if (config.unknownId === undefined) throw unknownText(word, vocabulary);
    return [config.unknownId];
  };
  return (word) => {
    if (word.length > config.longestWord && [...word].length > config.longestWord) return unknown(word);
    const first = beginnings.longestBeginning(word);
    if (!first) return unknown(word);
    const ids = [first.number];
    if (first.length === word.length) return ids;
    const tokens = new Int32Array(word.length);
    const ends = new Int32Array(word.length);
    backwards.scan(reversed(word), (token, start, end) => {
      tokens[word.length - end] = token;
      ends[word.length - end] = word.length - start;
      return true;
    });
    for (let at = first.length; at < word.length; at = ends[at]!) {
      if (ends[at] === 0) return unknown(word);
      ids.push(tokens[at]!);
    }
    return ids;
  };
}
