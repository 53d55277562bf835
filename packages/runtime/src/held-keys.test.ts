import { SessionError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { HeldKeys } from './held-keys.js';

/** One slot of one head of width 2, a key for each tile. */
const setup = {
  bytes: new Uint8Array(0),
  pieces: [],
  slots: [{ name: 'cross_key_values.0.key', heads: 1, size: 2 }],
  keysPerTile: 1,
  tagTokens: 0,
};
const keys = (...values: number[]): Float32Array[] => [new Float32Array(values)];

describe('keys that are held of pictures', () => {
  it('lie tile by tile in the order of each row, filled up with zeros', () => {
    const held = new HeldKeys(setup);
    const [one, two] = [held.add(1, keys(1, 2)), held.add(2, keys(3, 4, 5, 6))];
    const [input] = held.arrange([[two, one], [one], []]);
    expect(input).toMatchObject({ name: 'cross_key_values.0.key', shape: [3, 3, 1, 2] });
    // Key by key, and of each key row by row.
    expect([...input!.data]).toEqual([3, 4, 1, 2, 0, 0, 5, 6, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0]);
  });

  it('are arranged once while the pictures stay the same', () => {
    const held = new HeldKeys(setup);
    const [one, two] = [held.add(1, keys(1, 2)), held.add(1, keys(3, 4))];
    const first = held.arrange([[one], [two]]);
    expect(held.arrange([[one], [two]])).toBe(first);
    expect(held.arrange([[two], [one]])).not.toBe(first);
  });

  it('of one picture alone are not copied', () => {
    const held = new HeldKeys(setup);
    const [data] = keys(1, 2);
    expect(held.arrange([[held.add(1, [data!])]])[0]!.data).toBe(data);
  });

  it('are gone once they are forgotten', () => {
    const held = new HeldKeys(setup);
    const one = held.add(1, keys(1, 2));
    held.arrange([[one]]);
    held.forget([one]);
    expect(() => held.arrange([[one]])).toThrow(SessionError);
  });
});
