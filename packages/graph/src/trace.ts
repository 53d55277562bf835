import { ConfigError } from '@weft/errors';
import { makeGraph, type Graph } from './graph.js';
import { walk } from './module.js';
import { Parameter } from './parameter.js';
import type { AnyModule, Part } from './part.js';
import { withPath } from './path.js';
import type { TensorType } from './tensor-type.js';
import { withTrace } from './trace-context.js';
import { makeNode, type Value } from './value.js';

/** A graph input: its type, and its name in the ONNX file. */
export function input(name: string, { dtype, shape }: TensorType): Value {
  return withPath('', () => makeNode('Input', { name }, [], [{ dtype, shape }])[0]!);
}

/**
 * Runs module code once and returns the graph it describes.
 *
 * @param model tree whose parameters the graph may use; their paths name them
 * @param inputs types of the graph inputs by name
 * @param build calls the modules on the inputs and returns the outputs by name
 */
export function trace<I extends Readonly<Record<string, TensorType>>>(
  model: Part,
  inputs: I,
  build: (inputs: { readonly [K in keyof I]: Value }) => Readonly<Record<string, Value>>,
): Graph {
  const paths = new Map<AnyModule | Parameter, string>();
  for (const [path, part] of walk(model)) if (!paths.has(part)) paths.set(part, path);
  const values = new Map<Parameter, Value>();
  const context = {
    pathOf: (module: AnyModule) => paths.get(module) ?? module.kind,
    valueOf: (parameter: Parameter) => {
      const known = values.get(parameter);
      if (known) return known;
      const path = paths.get(parameter);
      if (path === undefined)
        throw new ConfigError({
          message: 'A module uses a parameter that is not part of the traced model.',
          hint: 'Pass the tree that holds the module to trace().',
        });
      const types = [{ dtype: 'float32', shape: parameter.shape }] as const;
      const value = makeNode('Parameter', { path, parameter }, [], types, path)[0]!;
      values.set(parameter, value);
      return value;
    },
  };
  const given = Object.fromEntries(Object.entries(inputs).map(([name, type]) => [name, input(name, type)]));
  const outputs = withTrace(context, () => build(given as { readonly [K in keyof I]: Value }));
  return makeGraph(outputs);
}
