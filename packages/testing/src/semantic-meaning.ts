import { ShapeError } from '@weft/errors';
import type { Dim, Node, SemanticOp } from '@weft/graph';
import { attentionMeaning, shares } from './attention-meaning.js';
import { erf } from './erf.js';
import { countOf, type Tensor } from './tensor.js';

type Meaning<O extends SemanticOp> = (
  node: Node<O>,
  inputs: readonly Tensor[],
  size: (dim: Dim) => number,
) => Tensor;

/**
 * What every semantic operation computes, in plain loops from its definition. Nothing here knows `reference`, the
 * decomposition into primitives that targets use: the suite of operations compares the two. A missing one does not
 * compile.
 */
export const semanticMeaning: { readonly [O in SemanticOp]: Meaning<O> } = {
  Linear: (_, [x, weight, bias]) => {
    const [out, size] = weight!.shape as [number, number];
    return mapRows(x!, out, (row, result) => {
      for (let o = 0; o < out; o++) {
        let sum = bias ? bias.data[o]! : 0;
        for (let i = 0; i < size; i++) sum += row[i]! * weight!.data[o * size + i]!;
        result[o] = sum;
      }
    });
  },
  GroupedLinear: ({ attributes: { layout } }, [x, groups, ...weights]) => {
    const [first, second] = weights[0]!.shape as [number, number];
    const [out, size] = layout === 'out-in' ? [first, second] : [second, first];
    return mapRows(x!, out, (row, result, at) => {
      const matrix = weights[groups!.data[at]!];
      // A row of no group meets no matrix.
      if (!matrix) return;
      for (let o = 0; o < out; o++)
        for (let i = 0; i < size; i++)
          result[o]! += row[i]! * matrix.data[layout === 'out-in' ? o * size + i : i * out + o]!;
    });
  },
  Embedding: ({ path }, [ids, table]) => {
    const [count, size] = table!.shape as [number, number];
    const data = new Float64Array(ids!.data.length * size);
    for (const [i, id] of ids!.data.entries()) {
      if (id < 0 || id >= count)
        throw new ShapeError({
          message: `The id ${id} has no row in a table of ${count}.`,
          where: path || undefined,
        });
      for (let j = 0; j < size; j++) data[i * size + j] = table!.data[id * size + j]!;
    }
    return { shape: [...ids!.shape, size], data };
  },
  RmsNorm: ({ attributes: { eps } }, [x, weight]) =>
    mapRows(x!, x!.shape.at(-1)!, (row, result) => {
      let squares = 0;
      for (const value of row) squares += value ** 2;
      const deviation = Math.sqrt(squares / row.length + eps);
      for (const [i, value] of row.entries()) result[i] = (value / deviation) * weight!.data[i]!;
    }),
  LayerNorm: ({ attributes: { eps } }, [x, weight, bias]) =>
    mapRows(x!, x!.shape.at(-1)!, (row, result) => {
      let [sum, squares] = [0, 0];
      for (const value of row) sum += value;
      const mean = sum / row.length;
      for (const value of row) squares += (value - mean) ** 2;
      const deviation = Math.sqrt(squares / row.length + eps);
      for (const [i, value] of row.entries())
        result[i] = ((value - mean) / deviation) * weight!.data[i]! + bias!.data[i]!;
    }),
  Rope: ({ attributes: { interleaved } }, [x, cos, sin]) => {
    const [heads, half] = [x!.shape[2]!, cos!.shape[2]!];
    return mapRows(x!, x!.shape[3]!, (row, result, at) => {
      result.set(row);
      const token = Math.floor(at / heads);
      for (let j = 0; j < half; j++) {
        const [a, b] = interleaved ? [2 * j, 2 * j + 1] : [j, j + half];
        const [c, s] = [cos!.data[token * half + j]!, sin!.data[token * half + j]!];
        result[a] = row[a]! * c - row[b]! * s;
        result[b] = row[a]! * s + row[b]! * c;
      }
    });
  },
  ...attentionMeaning,
  PatchEmbed: ({ attributes: { patchSize } }, [pixels, weight, bias]) => {
    const [tiles, , height, width] = pixels!.shape as [number, number, number, number];
    const [rows, columns] = [Math.floor(height / patchSize), Math.floor(width / patchSize)];
    const size = weight!.shape[0]!;
    const data = new Float64Array(tiles * rows * columns * size);
    let at = 0;
    for (let tile = 0; tile < tiles; tile++)
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++)
          for (let out = 0; out < size; out++)
            data[at++] =
              meet(pixels!, weight!, { tile, out, top: row * patchSize, left: column * patchSize }) +
              (bias ? bias.data[out]! : 0);
    return { shape: [tiles, rows * columns, size], data };
  },
  Conv: ({ attributes: { strides, padding, groups }, outputs }, [x, weight, bias], size) => {
    const shape = outputs[0]!.shape.map(size) as [number, number, number, number];
    const [tiles, channels, rows, columns] = shape;
    const data = new Float64Array(countOf(shape));
    let at = 0;
    for (let tile = 0; tile < tiles; tile++)
      for (let out = 0; out < channels; out++)
        for (let row = 0; row < rows; row++)
          for (let column = 0; column < columns; column++) {
            const [top, left] = [row * strides[0] - padding[0], column * strides[1] - padding[1]];
            data[at++] = meet(x!, weight!, { tile, out, top, left, groups }) + (bias ? bias.data[out]! : 0);
          }
    return { shape, data };
  },
  Gelu: ({ attributes: { approximation } }, [x]) =>
    map(x!, (value) =>
      approximation === 'none'
        ? (value * (1 + erf(value / Math.SQRT2))) / 2
        : (value * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (value + 0.044715 * value ** 3)))) / 2,
    ),
  QuickGelu: (_, [x]) => map(x!, (value) => value / (1 + Math.exp(-1.702 * value))),
  Silu: (_, [x]) => map(x!, (value) => value / (1 + Math.exp(-value))),
  Relu2: (_, [x]) => map(x!, (value) => (value > 0 ? value ** 2 : 0)),
  Softmax: (_, [x]) => mapRows(x!, x!.shape.at(-1)!, (row, result) => result.set(shares(row))),
  CrossEntropy: (_, [logits, targets]) => {
    const classes = logits!.shape[1]!;
    const data = targets!.data.map((target, i) => {
      if (target < 0) return 0;
      const row = logits!.data.subarray(i * classes, (i + 1) * classes);
      return -Math.log(shares(row)[target]!);
    });
    return { shape: targets!.shape, data };
  },
  PlaceAtToken: ({ attributes: { mode } }, [hiddenStates, positions, rows]) => {
    const { shape } = hiddenStates!;
    const [size, data] = [shape[2]!, hiddenStates!.data.slice()];
    for (const [i, position] of positions!.data.entries())
      for (let j = 0; j < size; j++) {
        const value = rows!.data[i * size + j]!;
        data[position * size + j] = mode === 'add' ? data[position * size + j]! + value : value;
      }
    return { shape, data };
  },
};

function map(x: Tensor, change: (value: number) => number): Tensor {
  return { shape: x.shape, data: x.data.map(change) };
}

/** Each vector along the last axis turned into one of `size` numbers, which are 0 to begin with. */
function mapRows(
  x: Tensor,
  size: number,
  change: (row: Float64Array, result: Float64Array, at: number) => void,
): Tensor {
  const [outer, width] = [x.shape.slice(0, -1), x.shape.at(-1)!];
  const data = new Float64Array(countOf(outer) * size);
  for (let at = 0; at < countOf(outer); at++)
    change(x.data.subarray(at * width, (at + 1) * width), data.subarray(at * size, (at + 1) * size), at);
  return { shape: [...outer, size], data };
}

interface Meeting {
  readonly tile: number;
  /** Channel of the result. */
  readonly out: number;
  /** Where the kernel's first row and column lie in the picture; outside of it are zeros. */
  readonly top: number;
  readonly left: number;
  readonly groups?: number;
}

/** The product of one kernel `[C / groups, kh, kw]` and the part of the picture under it. */
function meet(x: Tensor, weight: Tensor, { tile, out, top, left, groups = 1 }: Meeting): number {
  const [, channels, height, width] = x.shape as [number, number, number, number];
  const [size, perGroup, kernelRows, kernelColumns] = weight.shape as [number, number, number, number];
  const firstChannel = Math.floor(out / (size / groups)) * perGroup;
  let sum = 0;
  for (let channel = 0; channel < perGroup; channel++)
    for (let i = 0; i < kernelRows; i++)
      for (let j = 0; j < kernelColumns; j++) {
        const [row, column] = [top + i, left + j];
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        const pixel = ((tile * channels + firstChannel + channel) * height + row) * width + column;
        const factor = ((out * perGroup + channel) * kernelRows + i) * kernelColumns + j;
        sum += x.data[pixel]! * weight.data[factor]!;
      }
  return sum;
}
