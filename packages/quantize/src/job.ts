import { WeightError } from '@weft/errors';
import { blocksPerRow, rowBytes, type BlockData, type BlockForm } from '@weft/onnx';
import {
  bytesPerElement,
  toFloat32,
  type SafetensorsDtype,
  type TensorEntry,
  type TensorToFill,
} from '@weft/weights';
import { exactBlocks, exactForm } from './exact-blocks.js';
import {
  groupedCodes,
  readPublished,
  type PublishedForm,
  type PublishedMatrix,
  type PublishedPiece,
} from './published.js';
import { roundRows } from './round.js';
import type { Scheme } from './scheme.js';

/** Bytes of a file that hold a tensor. */
export interface StoredBytes {
  /** Absolute path. */
  readonly file: string;
  readonly offset: number;
  readonly dtype: SafetensorsDtype;
}

/** Tensors of a file that stand for one matrix. */
export interface PublishedSource {
  readonly form: PublishedForm;
  readonly pieces: Readonly<
    Record<string, StoredBytes & { readonly byteLength: number; readonly shape: readonly number[] }>
  >;
}

/**
 * How a matrix is kept: rounded by a scheme; `exact`, for whole numbers in groups that blocks can say as they are; or
 * `float`, its numbers in float32.
 */
export type Keeping = Scheme | 'exact' | 'float';

/** A matrix of a file that is to be stored in another way. */
export interface QuantizeJob {
  /** Of the parameter: its tensors in the new file are `NAME.data`, `NAME.scales` and `NAME.zero_points`, or `NAME`. */
  readonly name: string;
  readonly source: StoredBytes | PublishedSource;
  readonly shape: readonly [rows: number, columns: number];
  readonly scheme: Keeping;
}

export const isPublished = (source: QuantizeJob['source']): source is PublishedSource => 'pieces' in source;

/** What storing a matrix cost. */
export interface QuantizedTensor {
  readonly name: string;
  readonly shape: readonly [rows: number, columns: number];
  readonly scheme: Keeping;
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
    /** Bytes from the beginning of the file to the parts of the whole matrix: its blocks, or its floats. */
    readonly floats: number | undefined;
    readonly data: number;
    readonly scales: number;
    readonly zeroPoints: number | undefined;
  };
}

export interface PieceResult {
  readonly squaredError: number;
  readonly squaredNorm: number;
}

/** Files that are open for a piece. */
export interface PieceFiles {
  read(file: string, offset: number, byteLength: number): Promise<Uint8Array>;
  write(bytes: Uint8Array, offset: number): Promise<void>;
}

const tensorName = (name: string, part: 'data' | 'scales' | 'zero_points'): string => `${name}.${part}`;

/** The form of the blocks of a job, `undefined` if it keeps floats. */
export function blockFormOf({
  source,
  scheme,
  shape,
  name,
}: QuantizeJob): (BlockForm & { readonly zeroPoints: boolean }) | undefined {
  if (scheme === 'float') return undefined;
  if (scheme !== 'exact')
    return { bits: scheme.bits, blockSize: scheme.blockSize, zeroPoints: scheme.zeroPoints, shape };
  const exact = isPublished(source) ? exactForm(source.form, shape[1], 'g_idx' in source.pieces) : undefined;
  if (exact) return { ...exact, zeroPoints: true, shape };
  throw new WeightError({
    message: 'The weight has no whole numbers in groups that blocks could keep.',
    where: name,
  });
}

/** The tensors that hold a matrix. */
export function tensorsOf(job: QuantizeJob): TensorToFill[] {
  const { name, shape } = job;
  const form = blockFormOf(job);
  if (!form) return [{ name, dtype: 'F32', shape }];
  const [rows] = shape;
  const [count, bytes] = [blocksPerRow(form), rowBytes(form)];
  return [
    { name: tensorName(name, 'data'), dtype: 'U8', shape: [rows, bytes.data] },
    { name: tensorName(name, 'scales'), dtype: 'F32', shape: [rows, count] },
    ...(form.zeroPoints
      ? [{ name: tensorName(name, 'zero_points'), dtype: 'U8' as const, shape: [rows, bytes.zeroPoints] }]
      : []),
  ];
}

/** Bytes of the tensors that hold a matrix. */
export const storedBytes = (job: QuantizeJob): number =>
  tensorsOf(job).reduce(
    (sum, { dtype, shape }) => sum + shape.reduce((product, size) => product * size, bytesPerElement(dtype)),
    0,
  );

/** Numbers that a thread holds at once: 16 MiB in float32. */
const piece = 2 ** 22;

/** The pieces of a job whose tensors have places in a file. */
export function piecesOf(
  job: QuantizeJob,
  path: string,
  placeOf: (tensor: string) => number | undefined,
): Piece[] {
  const [rows, columns] = job.shape;
  // Tensors that stand for a matrix together may lie in any order: they are read as a whole.
  const count = isPublished(job.source) ? Math.max(1, rows) : Math.max(1, Math.floor(piece / columns));
  const target = {
    path,
    floats: placeOf(job.name),
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

/** Reads rows, stores them in another way, and writes them to their places. */
export async function quantizePiece(piece: Piece, files: PieceFiles): Promise<PieceResult> {
  const { scheme, shape, first, count, target } = piece;
  const columns = shape[1];
  const published = await readMatrix(piece, files);
  const values = published ? readPublished(published) : await readRows(piece, files);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new WeightError({
      message: `Row ${first + Math.floor(wrong / columns)} of the weight holds a number that is not finite.`,
      where: piece.name,
      hint: 'The checkpoint is damaged, or its training diverged.',
    });
  if (scheme === 'float') {
    await files.write(bytesOf(values), target.floats! + first * columns * 4);
    return { squaredError: 0, squaredNorm: squared(values) };
  }
  const write = async ({ data, scales, zeroPoints }: BlockData): Promise<void> => {
    await files.write(data, target.data + (first * data.byteLength) / count);
    await files.write(bytesOf(scales), target.scales + (first * scales.byteLength) / count);
    if (zeroPoints)
      await files.write(zeroPoints, target.zeroPoints! + (first * zeroPoints.byteLength) / count);
  };
  if (scheme === 'exact') {
    await write(keptBlocks(published!, shape));
    return { squaredError: 0, squaredNorm: squared(values) };
  }
  const rounded = roundRows(values, [count, columns], scheme);
  await write(rounded);
  return { squaredError: rounded.squaredError, squaredNorm: rounded.squaredNorm };
}

async function readRows(
  { source, shape: [, columns], first, count }: Piece,
  files: PieceFiles,
): Promise<Float32Array> {
  const { file, offset, dtype } = source as StoredBytes;
  const size = bytesPerElement(dtype) * columns;
  return toFloat32(await files.read(file, offset + first * size, count * size), dtype);
}

async function readMatrix({ source, shape }: Piece, files: PieceFiles): Promise<PublishedMatrix | undefined> {
  if (!isPublished(source)) return undefined;
  const pieces: Record<string, PublishedPiece> = {};
  for (const [role, { file, offset, byteLength, dtype, shape: own }] of Object.entries(source.pieces))
    pieces[role] = { dtype, shape: own, bytes: await files.read(file, offset, byteLength) };
  return { form: source.form, shape, pieces };
}

function keptBlocks(matrix: PublishedMatrix, shape: QuantizeJob['shape']): BlockData {
  const grouped = groupedCodes(matrix);
  const blocks = grouped && exactBlocks(grouped, shape);
  if (blocks) return blocks;
  throw new WeightError({
    message:
      'A zero point of the weight lies beyond its numbers, so that blocks of as many bits cannot keep it.',
    hint: "Load it with dtype: 'q8'.",
  });
}

const squared = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);

const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** A matrix in blocks whose parts are tensors of a file. */
export interface MatrixBlocks extends BlockForm {
  readonly data: TensorEntry;
  readonly scales: TensorEntry;
  readonly zeroPoints?: TensorEntry | undefined;
}

/**
 * Where the matrices of jobs lie in a file: in blocks, or as one tensor.
 *
 * @throws WeightError if it does not hold what the jobs say
 */
export function blocksIn(
  jobs: readonly QuantizeJob[],
  tensors: ReadonlyMap<string, TensorEntry>,
): ReadonlyMap<string, MatrixBlocks | TensorEntry> {
  const entry = ({ name, dtype, shape }: TensorToFill): TensorEntry => {
    const found = tensors.get(name);
    if (found?.dtype === dtype && found.shape.join() === shape.join()) return found;
    throw new WeightError({
      message: `The file of stored weights lacks the tensor ${name} ${dtype} [${shape.join(', ')}].`,
      where: found?.file,
      hint: 'Remove the file: it is written again when it is missing.',
    });
  };
  return new Map(
    jobs.map((job): [string, MatrixBlocks | TensorEntry] => {
      const form = blockFormOf(job);
      const [first, scales, zeroPoints] = tensorsOf(job).map(entry);
      if (!form) return [job.name, first!];
      const { bits, blockSize, shape } = form;
      return [job.name, { bits, blockSize, shape, data: first!, scales: scales!, zeroPoints }];
    }),
  );
}
