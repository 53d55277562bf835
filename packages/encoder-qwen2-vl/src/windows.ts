/** Patches shared out among square windows. */
export interface Windows {
  /** Patches in each window, -1 in slots that stay empty; row-major `[count, length]`. */
  readonly patches: BigInt64Array;
  /** Slot of each patch among all windows' slots. */
  readonly slots: BigInt64Array;
  /** Number of windows. */
  readonly count: number;
  /** Slots of each. */
  readonly length: number;
}

/**
 * Cuts a picture into square windows, those at the right and lower edge smaller.
 *
 * @param rows of blocks
 * @param columns of blocks
 * @param side of a window, blocks
 * @param blockLength patches of a block, which follow one another
 */
export function cutWindows(rows: number, columns: number, side: number, blockLength: number): Windows {
  const windows: number[][] = [];
  for (let top = 0; top < rows; top += side)
    for (let left = 0; left < columns; left += side) {
      const blocks: number[] = [];
      for (let row = top; row < Math.min(top + side, rows); row++)
        for (let column = left; column < Math.min(left + side, columns); column++)
          blocks.push(row * columns + column);
      windows.push(blocks);
    }
  const length = Math.max(...windows.map((blocks) => blocks.length)) * blockLength;
  const patches = new BigInt64Array(windows.length * length).fill(-1n);
  const slots = new BigInt64Array(rows * columns * blockLength);
  for (const [window, blocks] of windows.entries())
    for (const [place, block] of blocks.entries())
      for (let i = 0; i < blockLength; i++) {
        const slot = window * length + place * blockLength + i;
        patches[slot] = BigInt(block * blockLength + i);
        slots[block * blockLength + i] = BigInt(slot);
      }
  return { patches, slots, count: windows.length, length };
}
