import { SessionError } from '@weft/errors';
import type { CrossSetup } from './engine.js';

/** A graph input as data. */
export interface HeldInput {
  readonly name: string;
  readonly data: Float32Array;
  /** `[keys, batch, heads, size]`. */
  readonly shape: readonly number[];
}

/** Keys and values of one picture, in the order of the slots. */
interface Picture {
  readonly tiles: number;
  readonly data: readonly Float32Array[];
}

/**
 * Keys and values of pictures for cross-attention layers: computed once, and rearranged only when the pictures of a
 * batch change.
 */
export class HeldKeys {
  readonly #setup: CrossSetup;
  readonly #pictures = new Map<number, Picture>();
  #added = 0;
  #arranged: { readonly key: string; readonly inputs: readonly HeldInput[] } = { key: '', inputs: [] };

  constructor(setup: CrossSetup) {
    this.#setup = setup;
  }

  /** @param data of each slot, `[keys, 1, heads, size]` */
  add(tiles: number, data: readonly Float32Array[]): number {
    this.#pictures.set(++this.#added, { tiles, data });
    return this.#added;
  }

  forget(ids: readonly number[]): void {
    for (const id of ids) this.#pictures.delete(id);
    this.#arranged = { key: '', inputs: [] };
  }

  /** The inputs for rows of pictures; rows that have fewer tiles than others, or none, are filled up with zeros. */
  arrange(rows: readonly (readonly number[])[]): readonly HeldInput[] {
    const key = JSON.stringify(rows);
    if (this.#arranged.key === key) return this.#arranged.inputs;
    const pictures = rows.map((row) => row.map((id) => this.#picture(id)));
    const tiles = pictures.map((row) => row.reduce((sum, picture) => sum + picture.tiles, 0));
    const keys = Math.max(1, ...tiles) * this.#setup.keysPerTile;
    const inputs = this.#setup.slots.map(({ name, heads, size }, slot) => {
      const parts = pictures.map((row) => row.map(({ data }) => data[slot]!));
      const shape = [keys, rows.length, heads, size];
      return { name, shape, data: interleaved(parts, { keys, width: heads * size }) };
    });
    this.#arranged = { key, inputs };
    return inputs;
  }

  #picture(id: number): Picture {
    const picture = this.#pictures.get(id);
    if (!picture)
      throw new SessionError({
        message: `There are no keys ${id} of a picture; they were forgotten.`,
        where: "session 'cross'",
      });
    return picture;
  }
}

/** Rows of arrays, each `[keys, width]` one after another, as one `[keys, rows, width]`. */
function interleaved(
  rows: readonly (readonly Float32Array[])[],
  { keys, width }: { readonly keys: number; readonly width: number },
): Float32Array {
  const [first] = rows;
  if (rows.length === 1 && first!.length === 1) return first![0]!;
  const result = new Float32Array(keys * rows.length * width);
  for (const [row, arrays] of rows.entries()) {
    let at = row * width;
    for (const array of arrays)
      for (let from = 0; from < array.length; from += width, at += rows.length * width)
        result.set(array.subarray(from, from + width), at);
  }
  return result;
}
