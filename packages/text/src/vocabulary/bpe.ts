import { ConfigError } from '@weft/errors';
import { byteTokens, unknownText, type Encode, type Vocabulary } from './vocabulary.js';

/** What byte-pair encoding needs beside its vocabulary. */
export interface BpeConfig {
  readonly merges: readonly (readonly [left: string, right: string])[];
  readonly unknownId: number | undefined;
  readonly byteFallback: boolean;
  /** Characters next to each other that the vocabulary lacks become one unknown token. */
  readonly fuseUnknown: boolean;
  /** A word that is a token itself is not built by merges. */
  readonly ignoreMerges: boolean;
  readonly prefix: string;
  readonly suffix: string;
}

/** Numbers that come out smallest first. */
class Heap {
  #items = new Float64Array(64);
  #size = 0;

  push(item: number): void {
    if (this.#size === this.#items.length) {
      const larger = new Float64Array(this.#size * 2);
      larger.set(this.#items);
      this.#items = larger;
    }
    const items = this.#items;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]! <= item) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): number | undefined {
    if (this.#size === 0) return undefined;
    const items = this.#items;
    const top = items[0]!;
    const last = items[--this.#size]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && items[child + 1]! < items[child]!) child++;
      if (items[child]! >= last) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return top;
  }
}

const positions = 2 ** 31;
const [longestKept, mostKept] = [256, 10_000];

/** The merges by the ids that they join. */
function mergeTable(
  config: BpeConfig,
  vocabulary: Vocabulary,
): {
  rankOf: (left: number, right: number) => number | undefined;
  /** The token that each merge makes. */
  results: number[];
} {
  const stride = vocabulary.largestId + 1;
  const ranks = new Map<number, number>();
  const results: number[] = [];
  const id = (token: string): number => {
    const known = vocabulary.ids.get(token);
    if (known === undefined)
      throw new ConfigError({
        message: `A merge needs the token ${JSON.stringify(token)}, which the vocabulary lacks.`,
        where: 'tokenizer.json, model.merges',
      });
    return known;
  };
  for (const [rank, [left, right]] of config.merges.entries()) {
    ranks.set(id(left) * stride + id(right), rank);
    results.push(id(left + right.slice(config.prefix.length)));
  }
  return { rankOf: (left, right) => ranks.get(left * stride + right), results };
}

/**
 * Byte-pair encoding of one word: its characters, joined pair by pair in the order of the merges. The work grows with
 * the length of the word times its logarithm.
 */
export function bpe(config: BpeConfig, vocabulary: Vocabulary): Encode {
  const { rankOf, results } = mergeTable(config, vocabulary);
  const bytesOf = byteTokens(vocabulary);

  const charactersOf = (word: string): number[] => {
    const ids: number[] = [];
    let isUnknown = false;
    const characters = [...word];
    const flush = (): void => {
      if (isUnknown) ids.push(config.unknownId!);
      isUnknown = false;
    };
    for (const [at, character] of characters.entries()) {
      const prefix = at > 0 ? config.prefix : '';
      const text = prefix + character + (at === characters.length - 1 ? config.suffix : '');
      const id = vocabulary.ids.get(text);
      if (id !== undefined) {
        flush();
        ids.push(id);
        continue;
      }
      // As in the reference, an unknown character before bytes stands behind them.
      const bytes = config.byteFallback ? bytesOf(text) : undefined;
      if (bytes) ids.push(...bytes);
      else if (config.unknownId !== undefined) {
        if (!config.fuseUnknown) flush();
        isUnknown = true;
      } else if (vocabulary.unknownToken !== undefined) throw unknownText(text, vocabulary);
    }
    flush();
    return ids;
  };

  const merge = (word: string): number[] => {
    const ids = charactersOf(word);
    const [previous, next] = [ids.map((_, at) => at - 1), ids.map((_, at) => at + 1)];
    const heap = new Heap();
    const offer = (at: number): void => {
      const rank = rankOf(ids[at]!, ids[next[at]!]!);
      if (rank !== undefined) heap.push(rank * positions + at);
    };
    for (let at = 0; at + 1 < ids.length; at++) offer(at);
    for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
      const at = top % positions;
      const right = next[at]!;
      if (ids[at]! < 0 || right >= ids.length) continue;
      const made = results[(top - at) / positions]!;
      // The pair may be another one by now.
      const rank = rankOf(ids[at]!, ids[right]!);
      if (rank === undefined || results[rank] !== made) continue;
      ids[at] = made;
      ids[right] = -1;
      next[at] = next[right]!;
      if (next[at]! < ids.length) {
        previous[next[at]!] = at;
        offer(at);
      }
      if (previous[at]! >= 0) offer(previous[at]!);
    }
    return ids.filter((id) => id >= 0);
  };

  const kept = new Map<string, readonly number[]>();
  return (word) => {
    if (config.ignoreMerges) {
      const id = vocabulary.ids.get(word);
      if (id !== undefined) return [id];
    }
    const known = kept.get(word);
    if (known) return known;
    const ids = merge(word);
    if (word.length < longestKept && kept.size < mostKept) kept.set(word, ids);
    return ids;
  };
}
