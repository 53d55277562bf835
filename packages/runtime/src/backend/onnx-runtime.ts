import type { InferenceSession, TensorConstructor } from 'onnxruntime-common';

/** What this package uses of ONNX Runtime. */
export interface OnnxRuntime {
  readonly InferenceSession: typeof InferenceSession;
  readonly Tensor: TensorConstructor;
}

/**
 * ONNX Runtime, which is an optional peer.
 *
 * @param threads that its sessions will ask for
 * @throws UnsupportedError if it is not installed
 */
export type LoadRuntime = (threads?: number) => Promise<OnnxRuntime>;
