import { UnsupportedError } from '@weft/errors';
import type { LoadRuntime, OnnxRuntime } from '../onnx-runtime.js';

/** ONNX Runtime maps files of weights itself. */
export const mapsFiles = true;

/** ONNX Runtime for Node, which is an optional peer. @throws UnsupportedError if it is not installed */
export const loadRuntime: LoadRuntime = async () => {
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
};
