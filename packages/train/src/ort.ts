import { SessionError } from '@weft/errors';
import type { DType, TensorData } from '@weft/graph';
import type { EmittedModel } from '@weft/onnx';
import { openSession } from '@weft/runtime';
import { Tensor } from 'onnxruntime-common';

export type Feeds = Readonly<Record<string, Tensor>>;

/** Runs one emitted graph. */
export interface Program {
  readonly inputs: ReadonlySet<string>;
  /** @returns outputs by name, in fresh memory */
  run(feeds: Feeds): Promise<Readonly<Record<string, Tensor>>>;
  /** Frees the session. A second call does nothing. */
  release(): Promise<void>;
}

/** Opens a session on an emitted graph whose weights are inputs. @throws SessionError with ONNX Runtime's reason */
export async function openProgram(
  name: string,
  model: EmittedModel,
  { threads }: { threads?: number | undefined },
): Promise<Program> {
  // Batches differ in length: plans made for one shape would be thrown away, at twice the time of a step.
  const session = await openSession(name, model.bytes, { threads, memoryPattern: false });
  let released: Promise<void> | undefined;
  const inputs = new Set(model.inputs.map((input) => input.name));
  return {
    inputs,
    run: async (feeds) => {
      const used = Object.entries(feeds).filter(([key]) => inputs.has(key));
      try {
        return (await session.run(Object.fromEntries(used))) as Record<string, Tensor>;
      } catch (cause) {
        throw new SessionError({ message: `The ${name} graph failed: ${(cause as Error).message}`, cause });
      }
    },
    release: () => (released ??= session.release()),
  };
}

/** Wraps data that stays where it is. */
export const tensor = (dtype: DType, data: Float32Array | BigInt64Array, shape: readonly number[]): Tensor =>
  new Tensor(dtype as 'float32', data as Float32Array, shape);

export const int64 = (values: readonly number[], shape: readonly number[]): Tensor =>
  tensor(
    'int64',
    BigInt64Array.from(values, (x) => BigInt(x)),
    shape,
  );

/** Tensors of a model as ONNX Runtime takes them; data stays where it is. */
export const toFeeds = (given: Readonly<Record<string, TensorData>>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(given).map(([name, { dtype, shape, data }]) => [
      name,
      tensor(dtype, data as Float32Array | BigInt64Array, shape),
    ]),
  );

export const zeros = (shape: readonly number[]): Tensor =>
  tensor('float32', new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);

export const scalar = (value: number): Tensor => tensor('float32', Float32Array.of(value), []);
