import { describe, expect, it } from 'vitest';
import type { Span } from './kv-store.js';
import { blockKeys, blockTokens, PrefixStore, sharedTokens } from './prefix-store.js';

const slots = [
  { heads: 1, size: 1 },
  { heads: 1, size: 2 },
];
const blockBytes = 4 * 3 * blockTokens;

/** Spans of a block all of whose values are one number, in a batch of two. */
const filledWith =
  (value: (block: number) => number) =>
  (block: number): Span[] => [
    {
      slot: (index) => {
        const width = slots[index]!.size;
        return Float32Array.from({ length: 2 * blockTokens * width }, (_, i) =>
          Math.floor(i / width) % 2 === 1 ? value(block) + index / 2 : -1,
        );
      },
      batch: 2,
      column: 1,
      start: 0,
      length: blockTokens,
    },
  ];

const find = (store: PrefixStore, keys: readonly string[]): number[] => {
  const found = store.find(keys);
  for (const { release } of found) release();
  return found.map(({ span }) => span.slot(0)[0]!);
};

describe('the store of prefixes', () => {
  it('finds the longest beginning that is held, and holds what prompts share once', () => {
    const store = new PrefixStore(slots, 1e6);
    store.insert(
      ['a', 'b', 'c'],
      filledWith((i) => i),
    );
    store.insert(
      ['a', 'b', 'x'],
      filledWith((i) => 10 + i),
    );
    expect(store.bytes).toBe(4 * blockBytes);
    expect(find(store, ['a', 'b', 'c', 'd'])).toEqual([0, 1, 2]);
    expect(find(store, ['a', 'b', 'x'])).toEqual([0, 1, 12]);
    expect(find(store, ['b', 'c'])).toEqual([]);
  });

  it('copies each slot of the column that it is given', () => {
    const store = new PrefixStore(slots, 1e6);
    store.insert(
      ['a'],
      filledWith(() => 3),
    );
    const { span } = store.find(['a'])[0]!;
    expect([...span.slot(0).subarray(0, blockTokens)]).toEqual(Array.from({ length: blockTokens }, () => 3));
    expect([...span.slot(1).subarray(0, 2 * blockTokens)]).toEqual(
      Array.from({ length: 2 * blockTokens }, () => 3.5),
    );
  });

  it('lets go of what was used least recently, from the end of a prompt', () => {
    const store = new PrefixStore(slots, 4 * blockBytes);
    store.insert(
      ['a', 'b'],
      filledWith(() => 1),
    );
    store.insert(
      ['c', 'd'],
      filledWith(() => 2),
    );
    find(store, ['a', 'b']);
    store.insert(
      ['e'],
      filledWith(() => 3),
    );
    expect(store.bytes).toBe(4 * blockBytes);
    expect(find(store, ['c', 'd'])).toEqual([2]);
    expect(find(store, ['a', 'b'])).toEqual([1, 1]);
    expect(find(store, ['e'])).toEqual([3]);
  });

  it('keeps what is in use, even over the budget for something new', () => {
    const store = new PrefixStore(slots, 2 * blockBytes);
    store.insert(
      ['a', 'b'],
      filledWith(() => 1),
    );
    const held = store.find(['a', 'b']);
    store.insert(
      ['c'],
      filledWith(() => 2),
    );
    expect([find(store, ['a', 'b']), find(store, ['c'])]).toEqual([[1, 1], []]);
    for (const { release } of held) release();
    store.insert(
      ['c'],
      filledWith(() => 2),
    );
    expect([find(store, ['a', 'b']), find(store, ['c'])]).toEqual([[1], [2]]);
  });

  it('holds the beginning of a prompt that is larger than the budget', () => {
    const store = new PrefixStore(slots, 2.5 * blockBytes);
    store.insert(
      ['a', 'b', 'c', 'd'],
      filledWith((i) => i),
    );
    expect(find(store, ['a', 'b', 'c', 'd'])).toEqual([0, 1]);
    const none = new PrefixStore(slots, 0);
    none.insert(
      ['a'],
      filledWith(() => 1),
    );
    expect(none.bytes).toBe(0);
  });
});

describe('keys of a prompt', () => {
  const ids = Array.from({ length: 40 }, (_, i) => i);
  const plain = ids.map(() => undefined);

  it('cover whole blocks within the limit', () => {
    expect(blockKeys({ ids, marks: plain }, 40)).toHaveLength(2);
    expect(blockKeys({ ids, marks: plain }, 31)).toHaveLength(1);
  });

  it('differ by ids, by pictures and by where pictures begin', () => {
    const keyOf = (marks: (string | undefined)[], own = ids): string =>
      blockKeys({ ids: own, marks }, 16)[0]!;
    const at = (from: number, to: number, name: string) =>
      ids.map((i) => (i >= from && i < to ? name : undefined));
    const keys = [
      keyOf(plain),
      keyOf(
        plain,
        ids.map((id) => (id === 3 ? 99 : id)),
      ),
      keyOf(at(2, 4, 'p')),
      keyOf(at(2, 4, 'q')),
      keyOf(at(3, 5, 'p')),
      keyOf(at(2, 40, 'p')),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(keyOf(at(2, 4, 'p'))).toBe(keys[2]);
  });

  it('tell how many tokens two prompts share, pictures included', () => {
    const marks = ids.map((i) => (i >= 8 && i < 12 ? 'p' : undefined));
    const other = ids.map((i) => (i >= 8 && i < 10 ? 'p' : undefined));
    expect(sharedTokens({ ids, marks }, { ids: ids.slice(0, 30), marks: marks.slice(0, 30) })).toBe(30);
    expect(sharedTokens({ ids, marks }, { ids, marks: other })).toBe(10);
    expect(sharedTokens({ ids, marks }, { ids: [0, 1, 5], marks: plain })).toBe(2);
  });
});
