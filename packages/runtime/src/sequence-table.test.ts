import { SessionError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import type { Span } from './kv-store.js';
import { seededRandom } from './random.js';
import { SequenceTable, type SequenceId } from './sequence-table.js';

const slots = [{ heads: 1, size: 2 }];

/** The first value of each token of spans. */
const valuesOf = (spans: readonly Span[]): number[] =>
  spans.flatMap(({ slot, batch, column, start, length }) =>
    Array.from({ length }, (_, i) => slot(0)[((start + i) * batch + column) * 2]!),
  );

/** Appends values to sequences as an engine does: laid out by the arrangement, padding first. */
function step(table: SequenceTable, given: ReadonlyMap<SequenceId, readonly number[]>) {
  const ids = [...given.keys()];
  const { store, rows, pasts } = table.arrange(ids);
  const times = Math.max(...[...given.values()].map(({ length }) => length));
  const past = store.past(0).slice();
  const seen = rows.map((row, column) => ({
    row,
    past: Array.from(
      { length: pasts[column]! },
      (_, i) => past[((store.length - pasts[column]! + i) * store.batch + column) * 2]!,
    ),
  }));
  const present = new Float32Array(times * store.batch * 2).fill(-1);
  for (const [column, row] of rows.entries()) {
    if (row < 0) continue;
    const values = given.get(ids[row]!)!;
    for (const [i, value] of values.entries())
      present[((times - values.length + i) * store.batch + column) * 2] = value;
  }
  table.append(
    ids,
    ids.map((id) => given.get(id)!.length),
    () => present,
  );
  return { store, past: ids.map((_, row) => seen.find((one) => one.row === row)!.past) };
}

describe('a table of sequences', () => {
  it('gives each sequence its own tokens, whoever joins, leaves, forks and forgets', () => {
    for (let seed = 0; seed < 12; seed++) {
      const random = seededRandom(seed);
      const below = (count: number): number => Math.floor(random.uniform() * count);
      const table = new SequenceTable(slots);
      const naive = new Map<SequenceId, number[]>();
      let value = 0;
      for (let turn = 0; turn < 60; turn++) {
        const known = [...naive.keys()];
        const pick = known[below(known.length)];
        const action = below(10);
        if (pick === undefined || action === 0) naive.set(table.open(), []);
        else if (action === 1) naive.set(table.fork(pick), [...naive.get(pick)!]);
        else if (action === 2) {
          const length = below(naive.get(pick)!.length + 2);
          table.truncate(pick, length);
          naive.set(pick, naive.get(pick)!.slice(0, length));
        } else if (action === 3) {
          table.release(pick);
          naive.delete(pick);
        } else {
          const some = known.filter(() => random.uniform() < 0.8);
          if (some.length === 0) continue;
          const longest = random.uniform() < 0.6 ? 1 : 1 + below(90);
          const given = new Map(
            some.map((id) => [id, Array.from({ length: 1 + below(longest) }, () => ++value)]),
          );
          const { past } = step(table, given);
          expect(past).toEqual(some.map((id) => naive.get(id)));
          for (const [id, values] of given) naive.get(id)!.push(...values);
        }
        for (const [id, values] of naive) {
          expect(table.length(id)).toBe(values.length);
          expect(valuesOf(table.spans(id, 0, values.length)), `seed ${seed}, turn ${turn}`).toEqual(values);
        }
      }
    }
  });

  it('appends in place while the same sequences step', () => {
    const table = new SequenceTable(slots);
    const [a, b] = [table.open(), table.open()];
    const { store } = step(
      table,
      new Map([
        [a, [1, 2, 3]],
        [b, [4]],
      ]),
    );
    for (let i = 0; i < 5; i++)
      expect(
        step(
          table,
          new Map([
            [b, [7]],
            [a, [8]],
          ]),
        ).store,
      ).toBe(store);
  });

  it('lets a few columns idle when their sequences leave, and gathers when many have left', () => {
    const table = new SequenceTable(slots);
    const ids = [1, 2, 3, 4].map(() => table.open());
    const stepOf = (some: readonly SequenceId[]) => step(table, new Map(some.map((id) => [id, [id]]))).store;
    const store = stepOf(ids);
    expect(stepOf(ids.slice(2))).toBe(store);
    const rest = stepOf(ids.slice(3));
    expect([rest === store, rest.batch]).toEqual([false, 1]);
  });

  it('cuts one sequence off in place, but not below what a fork looks at', () => {
    const table = new SequenceTable(slots);
    const a = table.open();
    const { store } = step(table, new Map([[a, [1, 2, 3]]]));
    table.truncate(a, 2);
    expect(step(table, new Map([[a, [4]]])).store).toBe(store);
    const fork = table.fork(a);
    table.truncate(a, 1);
    expect(step(table, new Map([[a, [5]]])).store).not.toBe(store);
    expect(valuesOf(table.spans(fork, 0, 3))).toEqual([1, 2, 4]);
    expect(valuesOf(table.spans(a, 0, 2))).toEqual([1, 5]);
  });

  it('begins a sequence with tokens of others, and gives them back once it has its own', () => {
    const table = new SequenceTable(slots);
    const data = Float32Array.of(9, 0, 8, 0);
    let released = 0;
    const shared = {
      span: { slot: () => data, batch: 1, column: 0, start: 0, length: 2 },
      release: () => void released++,
    };
    const [a, b] = [table.open([shared]), table.open([shared])];
    expect(table.length(a)).toBe(2);
    step(table, new Map([[a, [7]]]));
    expect([released, ...valuesOf(table.spans(a, 0, 3))]).toEqual([1, 9, 8, 7]);
    table.truncate(b, 1);
    expect([released, ...valuesOf(table.spans(b, 0, 1))]).toEqual([2, 9]);
    table.release(table.open([shared]));
    expect(released).toBe(3);
  });

  it('says which sequence is not there', () => {
    const table = new SequenceTable(slots);
    const id = table.open();
    table.release(id);
    table.release(id);
    expect(() => table.arrange([id])).toThrow(SessionError);
    expect(() => table.fork(id)).toThrow(/no sequence 1/);
  });
});
