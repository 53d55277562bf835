import { SessionError, UnsupportedError } from '@weft/errors';
import { targets, type Target } from '@weft/onnx';
import type { InferenceSession, TensorConstructor } from 'onnxruntime-common';

/** What this package uses of ONNX Runtime. */
export interface OnnxRuntime {
  readonly InferenceSession: typeof InferenceSession;
  readonly Tensor: TensorConstructor;
}

export interface SessionSettings {
  /** What the graph was lowered for: its execution providers run it. The processor unless given. */
  readonly target?: Target | undefined;
  /** Folder to which the weights' locations in the graph are relative. */
  readonly weightFolder?: string | undefined;
  /** Threads of ONNX Runtime; its default, the physical cores, unless given. */
  readonly threads?: number | undefined;
  /**
   * Whether plans of the memory are kept for the shapes of the inputs; true unless given. Where every run has other
   * shapes, they are thrown away, which takes longer than it saves.
   */
  readonly memoryPattern?: boolean | undefined;
}

/** ONNX Runtime for Node, which is an optional peer. @throws UnsupportedError if it is not installed */
export async function loadRuntime(): Promise<OnnxRuntime> {
  try {
    // The Node binding is CommonJS and registers itself with its own copy of onnxruntime-common.
    const imported = (await import('onnxruntime-node')) as OnnxRuntime & { readonly default?: OnnxRuntime };
    return imported.default ?? imported;
  } catch (cause) {
    throw new UnsupportedError({
      message: 'ONNX Runtime cannot be loaded.',
      where: 'onnxruntime-node',
      hint: 'Install it beside @weft/runtime: npm install onnxruntime-node. It needs a 64-bit system with glibc 2.28 or later, Windows or macOS on ARM.',
      cause,
    });
  }
}

/**
 * Opens ONNX Runtime on an emitted model. All sessions of Weft are opened here.
 *
 * @param name of the graph, for messages
 * @throws SessionError with ONNX Runtime's reason if it refuses the graph
 * @throws UnsupportedError if ONNX Runtime is not installed
 */
export async function openSession(
  name: string,
  bytes: Uint8Array,
  { target = targets.cpu, weightFolder, threads, memoryPattern = true }: SessionSettings = {},
): Promise<InferenceSession> {
  const runtime = await loadRuntime();
  const options: InferenceSession.SessionOptions = {
    executionProviders: target.executionProviders,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    ...(memoryPattern ? {} : { enableMemPattern: false }),
    ...(weightFolder === undefined
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
