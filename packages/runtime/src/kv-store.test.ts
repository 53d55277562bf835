import { describe, expect, it, vi } from 'vitest';
import { KvStore, type SlotSize } from './kv-store.js';

const slots: SlotSize[] = [
  { heads: 1, size: 2 },
  { heads: 2, size: 3 },
];

/** New times of a store, each value telling its slot, time and column. */
const present =
  (batch: number, first: number, times: number) =>
  (slot: number): Float32Array => {
    const width = slots[slot]!.heads * slots[slot]!.size;
    return Float32Array.from(
      { length: times * batch * width },
      (_, i) =>
        slot * 1e6 + (first + Math.floor(i / (batch * width))) * 100 + (Math.floor(i / width) % batch),
    );
  };

describe('a store of keys and values', () => {
  it('begins with a masked zero, and gives the past as one view', () => {
    const store = new KvStore(slots, 2);
    store.append(present(2, 1, 3), 3);
    expect(store.length).toBe(4);
    expect([...store.past(0)]).toEqual([0, 0, 0, 0, ...present(2, 1, 3)(0)]);
    expect(store.past(1).subarray(12)).toEqual(present(2, 1, 3)(1));
  });

  it('keeps everything while it grows, whatever was cut off on the way', () => {
    const store = new KvStore(slots, 1);
    let length = 1;
    for (const [times, cut] of [
      [40, 0],
      [7, 3],
      [1, 0],
      [1, 0],
      [1, 1],
      [30, 0],
      [1, 0],
      [300, 20],
      [1, 0],
    ] as const) {
      store.append(present(1, length, times), times);
      length += times - cut;
      store.cut(length);
    }
    for (let i = 0; i < 900; i++) store.append(present(1, length + i, 1), 1);
    length += 900;
    expect(store.length).toBe(length);
    for (const slot of [0, 1]) {
      const width = slots[slot]!.heads * slots[slot]!.size;
      expect(store.past(slot).subarray(width)).toEqual(present(1, 1, length - 1)(slot));
    }
  });

  it('moves a few times in each append before it is full, never all at once', () => {
    const store = new KvStore([{ heads: 1, size: 1 }], 1, 1024);
    const set = vi.spyOn(Float32Array.prototype, 'set');
    for (let i = 0; i < 5000; i++) store.append(() => Float32Array.of(i), 1);
    const moved = set.mock.calls.map(([values]) => values.length);
    set.mockRestore();
    expect(Math.max(...moved)).toBeLessThanOrEqual(8);
    expect(store.past(0).subarray(1)).toEqual(Float32Array.from({ length: 5000 }, (_, i) => i));
  });

  it('gathers columns of other stores, right-aligned behind zeros', () => {
    const [a, b] = [new KvStore(slots, 2), new KvStore(slots, 1)];
    a.append(present(2, 1, 4), 4);
    b.append(present(1, 1, 2), 2);
    const store = KvStore.gather(slots, [[a.span(1, 2, 2), b.span(0, 1, 1)], [b.span(0, 1, 1)], []]);
    expect([store.length, store.batch]).toEqual([4, 3]);
    const times = Array.from({ length: 4 }, (_, time) =>
      Array.from({ length: 3 }, (_, column) => store.past(1)[(time * 3 + column) * 6]!),
    );
    expect(times).toEqual([
      [0, 0, 0],
      [1000201, 0, 0],
      [1000301, 0, 0],
      [1000100, 1000100, 0],
    ]);
  });
});
