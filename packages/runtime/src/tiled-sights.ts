import type { TensorData } from '@weft/graph';
import type { Sight } from './engine.js';

type Inputs = Readonly<Record<string, TensorData>>;

/** Pictures as one list of tiles. */
export interface JoinedSights {
  readonly inputs: Inputs;
  /** Tiles of each picture. */
  readonly tiles: readonly number[];
}

/** Pictures whose inputs are lists of tiles, one after another; `undefined` if the tiles are not alike. */
export function joinSights(sights: readonly Sight[]): JoinedSights | undefined {
  const all = sights.map(({ runs }) => runs);
  const first = all[0]?.[0];
  if (!first || all.some(({ length }) => length !== 1)) return undefined;
  const names = Object.keys(first);
  const inputs: Record<string, TensorData> = {};
  for (const name of names) {
    const tensors = all.map(([run]) => run![name]);
    const { dtype, shape } = first[name]!;
    const tile = shape.slice(1).join();
    if (tensors.some((tensor) => tensor?.dtype !== dtype || tensor.shape.slice(1).join() !== tile))
      return undefined;
    inputs[name] = joinTensors(tensors as TensorData[]);
  }
  return { inputs, tiles: all.map(([run]) => run![names[0]!]!.shape[0]!) };
}

function joinTensors(tensors: readonly TensorData[]): TensorData {
  const [{ dtype, shape, data: first }] = tensors as [TensorData];
  const data = new (first.constructor as Float32ArrayConstructor)(
    tensors.reduce((sum, tensor) => sum + tensor.data.length, 0),
  );
  let at = 0;
  for (const tensor of tensors) {
    data.set(tensor.data as Float32Array, at);
    at += tensor.data.length;
  }
  const tiles = tensors.reduce((sum, tensor) => sum + tensor.shape[0]!, 0);
  return { dtype, shape: [tiles, ...shape.slice(1)], data };
}

/** The embeddings of each picture, given those of all tiles. */
export function splitEmbeds(embeds: Float32Array, tiles: readonly number[]): Float32Array[] {
  const perTile = embeds.length / tiles.reduce((sum, count) => sum + count, 0);
  let at = 0;
  // Pictures are forgotten one by one, so each has memory of its own.
  return tiles.map((count) => embeds.slice(at * perTile, (at += count) * perTile));
}
