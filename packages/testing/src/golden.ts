import { fileURLToPath } from 'node:url';
import { namedParameters, trace, type Part, type TensorType, type Value } from '@weft/graph';
import { targets } from '@weft/onnx';
import { openSafetensors } from '@weft/weights';
import { assertClose } from './compare.js';
import { runOnnx } from './run.js';
import { toTensor, type Tensor, type Tensors } from './tensor.js';

/** Tensors of a safetensors fixture, grouped by the first segment of their names. */
export interface Fixture {
  readonly metadata: Readonly<Record<string, string>>;
  /** Tensors under `{name}.…`, without it. Empty if there are none. */
  group(name: string): Record<string, Tensor>;
  /** Types of the tensors of a group. */
  types(name: string): Record<string, TensorType>;
}

/** Reads a whole fixture. @throws WeightError if the file is damaged */
export async function readFixture(url: URL): Promise<Fixture> {
  const file = await openSafetensors(fileURLToPath(url));
  const entries: (readonly [name: string, tensor: Tensor, type: TensorType])[] = [];
  try {
    for (const { name, dtype, shape } of file.tensors.values()) {
      const whole = dtype === 'I64';
      const data = whole ? new BigInt64Array((await file.read(name)).buffer) : await file.readFloat32(name);
      entries.push([name, toTensor({ shape, data }), { dtype: whole ? 'int64' : 'float32', shape }]);
    }
  } finally {
    await file.close();
  }
  const select = <T>(group: string, index: 1 | 2) =>
    Object.fromEntries(
      entries
        .filter(([name]) => name.startsWith(`${group}.`))
        .map((entry) => [entry[0].slice(group.length + 1), entry[index] as T]),
    );
  return {
    metadata: file.metadata,
    group: (name) => select<Tensor>(name, 1),
    types: (name) => select<TensorType>(name, 2),
  };
}

/** Values of the reference implementation for one tiny model. */
export interface Golden<M extends Part = Part> {
  /** Holds `weights.*`, `inputs.*`, `outputs.*` and the reference's `config` as metadata. */
  readonly file: URL;
  /** The model of a `config.json`. */
  readonly model: (config: Readonly<Record<string, unknown>>) => M;
  /** Outputs under the fixture's names; each of them is compared, and there must be one. */
  readonly outputs: (model: M, inputs: Readonly<Record<string, Value>>) => Readonly<Record<string, Value>>;
}

/**
 * Runs a model on the reference's weights and inputs in ONNX Runtime, with and without fused operators.
 *
 * @returns the largest difference of any output, as a share of its largest element
 * @throws Error if a weight's name or shape differs, in either direction, or an output by more than 1e-5
 */
export async function checkGolden<M extends Part>({
  file,
  model: make,
  outputs,
}: Golden<M>): Promise<number> {
  const fixture = await readFixture(file);
  const [weights, feeds, expected] = ['weights', 'inputs', 'outputs'].map((name) => fixture.group(name)) as [
    Tensors<Tensor>,
    Tensors<Tensor>,
    Tensors<Tensor>,
  ];
  const model = make(JSON.parse(fixture.metadata['config']!) as Record<string, unknown>);
  requireParameters(model, weights);

  const graph = trace(model, fixture.types('inputs'), (inputs) => outputs(model, inputs));
  const compared = Object.keys(graph.outputs).filter((name) => expected[name]);
  if (compared.length === 0)
    throw new Error(`No output is in the fixture; it has ${Object.keys(expected).join(', ')}.`);
  let worst = 0;
  for (const target of [targets.cpu, targets.reference]) {
    const results = await runOnnx(graph, feeds, weights, { target });
    for (const name of compared)
      worst = Math.max(
        worst,
        assertClose(results[name]!, expected[name]!, {
          tolerance: 1e-5,
          what: `${name} (${target.name}) against the reference implementation`,
        }),
      );
  }
  return worst;
}

/** @throws Error that lists the weights whose name or shape is not the model's, and those that are missing */
export function requireParameters(model: Part, weights: Tensors): void {
  const found = shapesOf(model);
  const wanted = Object.fromEntries(
    Object.entries(weights).map(([path, { shape }]) => [path, shape.join(' x ')]),
  );
  const different = [...new Set([...Object.keys(found), ...Object.keys(wanted)])].filter(
    (path) => found[path] !== wanted[path],
  );
  if (different.length > 0)
    throw new Error(
      `Parameters differ from the reference: ${different.map((path) => `${path} is ${found[path] ?? 'missing'}, expected ${wanted[path] ?? 'none'}`).join('; ')}.`,
    );
}

/** Shapes of all parameters by path, as text. */
export const shapesOf = (model: Part): Record<string, string> =>
  Object.fromEntries([...namedParameters(model)].map(([path, { shape }]) => [path, shape.join(' x ')]));
