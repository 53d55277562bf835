import { isWeftError } from '@weft/errors';
import { open, type FileHandle } from 'node:fs/promises';
import { quantizePiece, type Piece, type PieceResult } from '../../job.js';

/** What a task came to; classes of errors do not pass between threads. */
export type TaskResult = PieceResult | { readonly failure: string };

/** Stores one piece; a task of the pool. */
export default async function worker(piece: Piece): Promise<TaskResult> {
  const sources = new Map<string, FileHandle>();
  const target = await open(piece.target.path, 'r+');
  try {
    return await quantizePiece(piece, {
      read: async (file, offset, byteLength) => {
        const source = sources.get(file) ?? (await open(file, 'r'));
        sources.set(file, source);
        return readFully(source, offset, byteLength);
      },
      write: (bytes, offset) => writeFully(target, bytes, offset),
    });
  } catch (error) {
    if (!isWeftError(error)) throw error;
    return { failure: error.message };
  } finally {
    await Promise.all([target, ...sources.values()].map((handle) => handle.close()));
  }
}

async function readFully(handle: FileHandle, offset: number, byteLength: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(byteLength);
  for (let done = 0; done < byteLength;) {
    const { bytesRead } = await handle.read(bytes, done, byteLength - done, offset + done);
    if (bytesRead === 0) throw new Error('The file became shorter while it was read.');
    done += bytesRead;
  }
  return bytes;
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;)
    done += (await handle.write(bytes, done, bytes.byteLength - done, offset + done)).bytesWritten;
}
