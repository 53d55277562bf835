import { WeightError } from '@weft/errors';
import { blocksPerRow, rowBytes, type BlockForm } from '@weft/onnx';
import {
  bytesPerElement,
  toFloat32,
  type SafetensorsDtype,
  type TensorEntry,
  type TensorToFill,
} from '@weft/weights';
import { roundRows } from './round.js';
import type { Scheme } from './scheme.js';

/** A matrix of a file that is to be stored in blocks. */
export interface QuantizeJob {
  /** Of the parameter: its tensors in the new file are `NAME.data`, `NAME.scales` and `NAME.zero_points`. */
  readonly name: string;
  readonly source: {
    /** Absolute path. */
    readonly file: string;
    readonly offset: number;
    readonly dtype: SafetensorsDtype;
  };
  readonly shape: readonly [rows: number, columns: number];
  readonly scheme: Scheme;
}

/** What rounding a matrix cost. */
export interface QuantizedTensor {
  readonly name: string;
  readonly shape: readonly [rows: number, columns: number];
  readonly scheme: Scheme;
  /** Sum of the squared differences between the numbers and what their blocks mean. */
  readonly squaredError: number;
  /** Sum of the squared numbers. */
  readonly squaredNorm: number;
  readonly storedBytes: number;
}

/** Rows of a job, and where their bytes go: one task of a thread. */
export interface Piece extends QuantizeJob {
  readonly first: number;
  readonly count: number;
  readonly target: {
    readonly path: string;
    /** Bytes from the beginning of the file to the parts of the whole matrix. */
    readonly data: number;
    readonly scales: number;
    readonly zeroPoints: number | undefined;
  };
}

export interface PieceResult {
  readonly squaredError: number;
  readonly squaredNorm: number;
  /** Row of a number that is not finite, if there is one; nothing was written then. */
  readonly notFinite: number | undefined;
}

/** Files that are open for a piece. */
export interface PieceFiles {
  read(offset: number, byteLength: number): Promise<Uint8Array>;
  write(bytes: Uint8Array, offset: number): Promise<void>;
}

const tensorName = (name: string, part: 'data' | 'scales' | 'zero_points'): string => `${name}.${part}`;

/** The tensors that hold a matrix in blocks. */
export function tensorsOf({ name, shape, scheme }: QuantizeJob): TensorToFill[] {
  const form = { ...scheme, shape };
  const [rows] = shape;
  const [count, bytes] = [blocksPerRow(form), rowBytes(form)];
  return [
    { name: tensorName(name, 'data'), dtype: 'U8', shape: [rows, bytes.data] },
    { name: tensorName(name, 'scales'), dtype: 'F32', shape: [rows, count] },
    ...(scheme.zeroPoints
      ? [{ name: tensorName(name, 'zero_points'), dtype: 'U8' as const, shape: [rows, bytes.zeroPoints] }]
      : []),
  ];
}

/** Numbers that a thread holds at once: 16 MiB in float32. */
const piece = 2 ** 22;

/** The pieces of a job whose tensors have places in a file. */
export function piecesOf(
  job: QuantizeJob,
  path: string,
  placeOf: (tensor: string) => number | undefined,
): Piece[] {
  const [rows, columns] = job.shape;
  const count = Math.max(1, Math.floor(piece / columns));
  const target = {
    path,
    data: placeOf(tensorName(job.name, 'data'))!,
    scales: placeOf(tensorName(job.name, 'scales'))!,
    zeroPoints: placeOf(tensorName(job.name, 'zero_points')),
  };
  return Array.from({ length: Math.ceil(rows / count) }, (_, i) => ({
    ...job,
    first: i * count,
    count: Math.min(count, rows - i * count),
    target,
  }));
}

/** Reads rows, rounds them, and writes them to their places. */
export async function quantizePiece(
  { source, shape, scheme, first, count, target }: Piece,
  files: PieceFiles,
): Promise<PieceResult> {
  const [, columns] = shape;
  const size = bytesPerElement(source.dtype) * columns;
  const values = toFloat32(await files.read(source.offset + first * size, count * size), source.dtype);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) return { squaredError: 0, squaredNorm: 0, notFinite: first + Math.floor(wrong / columns) };
  const rounded = roundRows(values, [count, columns], scheme);
  const { data, scales, zeroPoints, squaredError, squaredNorm } = rounded;
  const perRow = { data: data.byteLength / count, scales: scales.byteLength / count };
  await files.write(data, target.data + first * perRow.data);
  await files.write(
    new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength),
    target.scales + first * perRow.scales,
  );
  if (zeroPoints) await files.write(zeroPoints, target.zeroPoints! + (first * zeroPoints.byteLength) / count);
  return { squaredError, squaredNorm, notFinite: undefined };
}

/** A matrix in blocks whose parts are tensors of a file. */
export interface MatrixBlocks extends BlockForm {
  readonly data: TensorEntry;
  readonly scales: TensorEntry;
  readonly zeroPoints?: TensorEntry | undefined;
}

/**
 * Where the matrices of jobs lie in a file.
 *
 * @throws WeightError if it does not hold what the jobs say
 */
export function blocksIn(
  jobs: readonly QuantizeJob[],
  tensors: ReadonlyMap<string, TensorEntry>,
): ReadonlyMap<string, MatrixBlocks> {
  const entry = ({ name, dtype, shape }: TensorToFill): TensorEntry => {
    const found = tensors.get(name);
    if (found?.dtype === dtype && found.shape.join() === shape.join()) return found;
    throw new WeightError({
      message: `The file of quantized weights lacks the tensor ${name} ${dtype} [${shape.join(', ')}].`,
      where: found?.file,
      hint: 'Remove the file: it is written again when it is missing.',
    });
  };
  return new Map(
    jobs.map((job) => {
      const [data, scales, zeroPoints] = tensorsOf(job).map(entry);
      const { bits, blockSize } = job.scheme;
      return [job.name, { bits, blockSize, shape: job.shape, data: data!, scales: scales!, zeroPoints }];
    }),
  );
}
