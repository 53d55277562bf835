import { describe, expect, it } from 'vitest';
import { groupRows, type GroupedRow } from './step-groups.js';

const row = (past: number, count: number, isCrossed = false): GroupedRow => ({ past, count, isCrossed });

describe('rows that run together', () => {
  it('are all answers of similar length', () => {
    expect(groupRows([row(70, 1), row(90, 1), row(10, 1)], false)).toEqual([[1, 0, 2]]);
  });

  it('are not a chunk of a prompt and a token of an answer', () => {
    expect(groupRows([row(70, 1), row(0, 256)], false)).toEqual([[1], [0]]);
  });

  it('are not one long and many short sequences, whose memory would be padding', () => {
    expect(groupRows([row(8000, 1), ...Array.from({ length: 7 }, () => row(50, 1))], false)).toEqual([
      [0],
      [1, 2, 3, 4, 5, 6, 7],
    ]);
  });

  it('take the same graph', () => {
    expect(groupRows([row(5, 1, true), row(5, 1), row(5, 1, true)], false)).toEqual([[1], [0, 2]]);
  });

  it('have no padding between old and new tokens where distances count', () => {
    const rows = [row(30, 9), row(30, 7), row(0, 7), row(31, 9)];
    expect(groupRows(rows, false)).toEqual([[3, 0, 1, 2]]);
    expect(groupRows(rows, true)).toEqual([
      [3, 0],
      [1, 2],
    ]);
  });
});
