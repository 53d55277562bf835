import type { DType, Graph } from '@weft/graph';
import { emitModel, type Target } from '@weft/onnx';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { toTensor, type Tensor, type TensorLike, type Tensors } from './tensor.js';

export interface RunOptions {
  /** How the graph is lowered; whichever it is, it runs on the processor. Default `targets.cpu`. */
  readonly target?: Target;
}

/** Runs one graph on many inputs in ONNX Runtime. */
export interface OnnxRunner {
  run(feeds: Tensors, parameters?: Tensors): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

/** Emits a graph with its weights as inputs and opens a session on it. */
export async function openOnnx(graph: Graph, { target }: RunOptions = {}): Promise<OnnxRunner> {
  const model = emitModel(graph, { weights: 'input', ...(target ? { target } : {}) });
  const session = await InferenceSession.create(model.bytes, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  return {
    async run(feeds, parameters = {}) {
      const inputs = model.inputs.map(({ name, dtype }) => {
        const tensor = feeds[name] ?? parameters[name];
        if (!tensor) throw new Error(`Nothing was given for the graph input '${name}'.`);
        return [name, toOrt(tensor, dtype)] as const;
      });
      const results = await session.run(Object.fromEntries(inputs));
      return Object.fromEntries(
        model.outputs.map(({ name }) => {
          const { dims, data } = results[name]!;
          return [name, toTensor({ shape: dims, data: data as Float32Array })];
        }),
      );
    },
    release: () => session.release(),
  };
}

/** Runs a graph once in ONNX Runtime; weights are fed as inputs. */
export async function runOnnx(
  graph: Graph,
  feeds: Tensors,
  parameters: Tensors = {},
  options: RunOptions = {},
): Promise<Record<string, Tensor>> {
  const runner = await openOnnx(graph, options);
  try {
    return await runner.run(feeds, parameters);
  } finally {
    await runner.release();
  }
}

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
};

function toOrt({ shape, data }: TensorLike, dtype: DType): OrtTensor {
  const numbers = toTensor({ shape, data }).data;
  if (dtype === 'int64') return new OrtTensor('int64', BigInt64Array.from(numbers, BigInt), shape);
  if (dtype === 'float16') throw new Error('Graph inputs in float16 are not supported by the test kit.');
  return new OrtTensor(dtype, arrays[dtype].from(numbers) as Float32Array, shape);
}
