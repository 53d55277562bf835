import { ConfigError } from '@weft/errors';
import {
  mapModules,
  namedParameters,
  type AnyModule,
  type ChangePart,
  type Graph,
  type MapOptions,
} from '@weft/graph';
import { findPart, part, type Model } from '@weft/spec';
import { graphsOf } from './model-signature.js';

/**
 * A model with parts of its tree changed: layers replaced, or wrapped in others such as LoRA's. Its graphs contain the
 * change.
 *
 * @param change gets every module and parameter of the tree with its path, children first; returns the part to use
 * instead, or the part itself
 * @param options.atLeast parts that must be replaced; 1 unless given
 * @throws ConfigError if fewer were, if a parameter that the change brings is in no graph of the model, or if its graphs
 * take or give anything else than before
 */
export const mapModel = (model: Model, change: ChangePart, { atLeast = 1, what }: MapOptions = {}): Model =>
  withTree(model, mapModules(model.module, change, { atLeast, what }));

/**
 * A model over another tree, such as `replaceAt` makes of its own.
 *
 * @throws ConfigError as `mapModel` does
 */
export function withTree(model: Model, tree: AnyModule): Model {
  const changed: Model = { ...model, module: tree };
  const missing = Object.keys(model.module.parts).find((key) => !findPart(changed, key));
  if (missing !== undefined) throw misfit(model, `The change leaves out the part '${missing}'.`);
  const [layers, now] = [model, changed].map((one) => part(one, 'backbone').layers.length);
  if (model.added.length > 0 && now !== layers)
    throw misfit(
      model,
      `The change makes ${now} layers of ${layers}, of which the fusion had added number ${model.added.join(', ')}.`,
    );
  const graphs = graphsOf(changed);
  for (const [i, before] of graphsOf(model).entries()) checkPorts(model, before, graphs[i]!);
  checkReached(model, tree, graphs);
  return changed;
}

const misfit = ({ name }: Model, message: string): ConfigError =>
  new ConfigError({
    message,
    where: name,
    hint: 'Processor, fusion and heads were made for the parts as they were. Compose a new model of the changed parts.',
  });

/** Inputs and outputs of a graph with their types. */
const portsOf = ({ inputs, outputs }: Graph): ReadonlyMap<string, string> =>
  new Map(
    [...inputs, ...Object.entries(outputs)].map(([name, { dtype, shape }]) => [
      name,
      `${dtype} [${shape.join(', ')}]`,
    ]),
  );

/** Tokens, tiles and tensors must stay what processor, fusion and heads count on. */
function checkPorts(model: Model, before: Graph, after: Graph): void {
  const [old, now] = [portsOf(before), portsOf(after)];
  const other = [...old.keys(), ...now.keys()].find((name) => old.get(name) !== now.get(name));
  if (other !== undefined)
    throw misfit(
      model,
      `The change makes '${other}' of the graphs ${now.get(other) ?? 'nothing'}; it was ${old.get(other) ?? 'nothing'}.`,
    );
}

/** @throws ConfigError if a parameter is new in the tree, but no graph uses it */
function checkReached(model: Model, tree: AnyModule, graphs: readonly Graph[]): void {
  const known = new Set(namedParameters(model.module).values());
  const added = [...namedParameters(tree)].filter(([, parameter]) => !known.has(parameter));
  const [lost, ...others] = added.filter(([path]) => !graphs.some(({ parameters }) => parameters.has(path)));
  if (lost)
    throw new ConfigError({
      message: `${others.length + 1} of the ${added.length} parameters that the change brings are in no graph of the model, the first of them '${lost[0]}'.`,
      where: model.name,
      hint: 'A module must call the parts that it holds, through the parts that its function is given.',
    });
}
