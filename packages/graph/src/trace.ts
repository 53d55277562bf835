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

/** Functions without parameters, such as an activation, need no place in a tree. */
const hasParameters = (module: AnyModule): boolean => {
  for (const [, part] of walk(module)) if (part instanceof Parameter) return true;
  return false;
};

/**
 * Runs module code once and returns the graph it describes.
 *
 * @param model tree whose parameters the graph may use; their paths name them
 * @param inputs types of the graph inputs by name
 * @throws ConfigError if `build` calls a module of parameters that is not in the tree
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
    pathOf: (module: AnyModule) => {
      const path = paths.get(module);
      if (path === undefined && hasParameters(module))
        throw new ConfigError({
          message: `A module '${module.kind}' that has parameters is not part of the traced model.`,
          hint: 'Pass the tree that holds it to trace(). Of a model whose tree was changed, look parts up in the new tree, or change the model by mapModel.',
        });
      return path ?? module.kind;
    },
    valueOf: (parameter: Parameter) => {
      const known = values.get(parameter);
      if (known) return known;
      // The parameters of a module that is in the tree are in it too.
      const path = paths.get(parameter)!;
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
