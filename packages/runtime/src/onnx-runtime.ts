import { loadRuntime, mapsFiles } from '#backend';
import { SessionError } from '@weft/errors';
import { targets, type Target } from '@weft/onnx';
import type { InferenceSession } from 'onnxruntime-common';
import { checkThreads } from './threads.js';
import { readPieces, type WeightPiece } from './weight-pieces.js';

export interface SessionSettings {
  /** What the graph was lowered for: its execution providers run it. The processor unless given. */
  readonly target?: Target | undefined;
  /** Folder to which the weights' locations in the graph are relative, where ONNX Runtime maps files: in Node. */
  readonly weightFolder?: string | undefined;
  /** Weights to read and to give to the session, where it does not: in browsers. */
  readonly pieces?: readonly WeightPiece[] | undefined;
  /** Threads of ONNX Runtime; its default, the physical cores, unless given. */
  readonly threads?: number | undefined;
  /**
   * Whether plans of the memory are kept for the shapes of the inputs; true unless given. Where every run has other
   * shapes, they are thrown away, which takes longer than it saves.
   */
  readonly memoryPattern?: boolean | undefined;
}

/**
 * Opens ONNX Runtime on an emitted model. All sessions of Weft are opened here.
 *
 * @param name of the graph, for messages
 * @throws SessionError with ONNX Runtime's reason if it refuses the graph
 * @throws InputError if there are more threads than processors
 * @throws UnsupportedError if ONNX Runtime is not installed
 * @throws WeightError if the file of a piece is shorter than it was
 */
export async function openSession(
  name: string,
  bytes: Uint8Array,
  { target = targets.cpu, weightFolder, pieces = [], threads, memoryPattern = true }: SessionSettings = {},
): Promise<InferenceSession> {
  checkThreads(threads, `session '${name}'`);
  const runtime = await loadRuntime(threads);
  const options: InferenceSession.SessionOptions = {
    executionProviders: target.executionProviders,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    ...(memoryPattern ? {} : { enableMemPattern: false }),
    ...(pieces.length === 0 ? {} : { externalData: await readPieces(pieces) }),
    ...(weightFolder === undefined || !mapsFiles
      ? {}
      : { extra: { 'session.model_external_initializers_file_folder_path': weightFolder } }),
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  };
  return wrapped(`session '${name}'`, () => runtime.InferenceSession.create(bytes, options));
}

/** Does what may fail in ONNX Runtime. @throws SessionError with its message */
export async function wrapped<T>(where: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SessionError({ message: `ONNX Runtime failed: ${text}`, where, cause });
  }
}
