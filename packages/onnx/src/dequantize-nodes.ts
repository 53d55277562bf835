import type { Emitter } from './emitter.js';
import { dataTypes, type ExternalTensor } from './model-proto.js';
import { blocksPerRow, rowBytes, type Blocks } from './stored-weight.js';

/** The parts of a weight in blocks as initializers. Two nodes that want the same bytes in one shape share them. */
export function declareBlocks(
  e: Emitter,
  path: string,
  weight: Blocks,
  dataShape: readonly number[],
): { readonly data: string; readonly scales: string; readonly zeroPoints: string } {
  const [rows, count] = [weight.shape[0], blocksPerRow(weight)];
  const declare = (name: string, tensor: ExternalTensor, shape: readonly number[]): string =>
    e.shared(`weight ${tensor.location} ${tensor.offset} ${shape.join()}`, () =>
      e.weight(name, { ...tensor, shape }),
    );
  const scales = declare(`${path}.scales`, weight.scales, [rows, count]);
  return {
    data: declare(path, weight.data, dataShape),
    scales:
      weight.scales.dtype === 'float32'
        ? scales
        : e.shared(`wide ${scales}`, () => e.node('Cast', [scales], { to: dataTypes.float32 })),
    zeroPoints: weight.zeroPoints
      ? declare(`${path}.zero_points`, weight.zeroPoints, [rows, rowBytes(weight).zeroPoints])
      : '',
  };
}

/**
 * Nodes that compute the numbers of a weight in blocks, in operators of the default domain. ONNX Runtime computes them
 * once, when the session starts; the weight then takes the memory of float32.
 */
export function dequantizeNodes(e: Emitter, path: string, weight: Blocks, shape: readonly number[]): string {
  const { bits, blockSize } = weight;
  const [rows, columns] = weight.shape;
  const [count, bytes] = [blocksPerRow(weight), rowBytes(weight)];
  const names = declareBlocks(e, path, weight, [rows, bytes.data]);
  const reshape = (name: string, to: readonly number[]) => e.node('Reshape', [name, e.ints(to)]);
  const scalar = (value: number) => e.constant({ dtype: 'float32', shape: [], data: Float32Array.of(value) });
  /** Numbers of packed rows `[rows, width]`, without the last ones that only fill a byte. */
  const unpack = (name: string, width: number): string => {
    const whole = e.node('Cast', [name], { to: dataTypes.float32 });
    if (bits === 8) return whole;
    const high = e.node('Floor', [e.node('Mul', [whole, scalar(1 / 16)])]);
    const low = e.node('Sub', [whole, e.node('Mul', [high, scalar(16)])]);
    const packed = Math.ceil((width * bits) / 8);
    const pairs = e.node(
      'Concat',
      [low, high].map((part) => reshape(part, [rows, packed, 1])),
      { axis: 2 },
    );
    const all = reshape(pairs, [rows, 2 * packed]);
    return 2 * packed === width ? all : e.node('Slice', [all, e.ints([0]), e.ints([width]), e.ints([1])]);
  };
  const zero = names.zeroPoints
    ? reshape(unpack(names.zeroPoints, count), [rows, count, 1])
    : scalar(2 ** (bits - 1));
  const numbers = reshape(unpack(names.data, count * blockSize), [rows, count, blockSize]);
  const scaled = e.node('Mul', [e.node('Sub', [numbers, zero]), reshape(names.scales, [rows, count, 1])]);
  const filled = count * blockSize;
  if (filled === columns) return reshape(scaled, shape);
  const wide = reshape(scaled, [rows, filled]);
  return reshape(e.node('Slice', [wide, e.ints([0]), e.ints([columns]), e.ints([1])]), shape);
}
