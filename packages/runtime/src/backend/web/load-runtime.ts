import { UnsupportedError } from '@weft/errors';
import type { LoadRuntime } from '../onnx-runtime.js';

/** There are no files to map: sessions are given the bytes of weights. */
export const mapsFiles = false;

/** ONNX Runtime for browsers, which is an optional peer. @throws UnsupportedError if it is not installed */
export const loadRuntime: LoadRuntime = async (threads) => {
  try {
    const runtime = await import('onnxruntime-web');
    // Threads are those of the whole runtime. Pages that are not isolated from other origins have one.
    if (threads !== undefined) runtime.env.wasm.numThreads = threads;
    return runtime;
  } catch (cause) {
    throw new UnsupportedError({
      message: 'ONNX Runtime cannot be loaded.',
      where: 'onnxruntime-web',
      hint: 'Install it beside @weft/runtime: npm install onnxruntime-web.',
      cause,
    });
  }
};
