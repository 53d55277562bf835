import { SessionError, UnsupportedError } from '@weft/errors';
import type { InferenceSession, TensorConstructor } from 'onnxruntime-common';

/** What an engine uses of ONNX Runtime. */
export interface OnnxRuntime {
  readonly InferenceSession: typeof InferenceSession;
  readonly Tensor: TensorConstructor;
}

/** ONNX Runtime for Node, which is an optional peer. @throws UnsupportedError if it is not installed */
export async function loadRuntime(): Promise<OnnxRuntime> {
  try {
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

/** Does what may fail in ONNX Runtime. @throws SessionError with its message */
export async function wrapped<T>(where: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SessionError({ message: `ONNX Runtime failed: ${text}`, where, cause });
  }
}
