import { readRange } from './read-entry.js';

/** The bytes of a tensor, for a session that cannot map files. */
export interface WeightPiece {
  /** What the graph calls them. */
  readonly location: string;
  /** Absolute path or URL of the file that holds them. */
  readonly file: string;
  readonly offset: number;
  readonly byteLength: number;
}

/** A piece in memory, as ONNX Runtime takes it. */
export interface GivenPiece {
  readonly path: string;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Pieces that lie this near together are read at once; bytes. */
const widestGap = 4096;
/** More than this is not read at once, unless one piece is larger; bytes. */
const longestRead = 2 ** 26;

/**
 * Reads pieces of weights: neighbours of one file in one range.
 *
 * @throws WeightError if a file is shorter than it was
 */
export async function readPieces(pieces: readonly WeightPiece[]): Promise<GivenPiece[]> {
  const given: GivenPiece[] = [];
  for (const run of runsOf(pieces)) {
    const { file, offset: start } = run[0]!;
    const end = run.reduce((most, { offset, byteLength }) => Math.max(most, offset + byteLength), start);
    const bytes = await readRange(file, start, end - start);
    for (const { location, offset, byteLength } of run)
      given.push({ path: location, data: bytes.subarray(offset - start, offset - start + byteLength) });
  }
  return given;
}

/** Neighbours, in the order of their files. */
export function runsOf(pieces: readonly WeightPiece[]): WeightPiece[][] {
  const runs: WeightPiece[][] = [];
  const sorted = pieces.toSorted((a, b) =>
    a.file === b.file ? a.offset - b.offset : a.file < b.file ? -1 : 1,
  );
  let end = 0;
  for (const piece of sorted) {
    const { file, offset, byteLength } = piece;
    const run = runs.at(-1);
    const first = run?.[0];
    if (
      run &&
      first?.file === file &&
      offset - end <= widestGap &&
      offset + byteLength - first.offset <= longestRead
    )
      run.push(piece);
    else runs.push([piece]);
    end = first?.file === file ? Math.max(end, offset + byteLength) : offset + byteLength;
  }
  return runs;
}
