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
import { graphsOf, signatureOf } from './model-signature.js';

/**
 * A model with parts of its tree changed: layers replaced, or wrapped in others such as LoRA's. Every parameter that the
 * change brings is in its graphs, and a change that brings none makes another computation of them or another set of
 * parameters; of several changes without parameters one may still be where no graph reads.
 *
 * @param change gets every module and parameter of the tree with its path, children first; returns the part to use
 * instead, or the part itself
 * @param options.atLeast parts that must be replaced; 1 unless given
 * @throws ConfigError if fewer were, if a parameter that the change brings is in no graph of the model, if the change
 * makes no difference to any graph or parameter, or if the graphs take or give anything else than before
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
  const [before, after] = [graphsOf(model), graphsOf(changed)];
  for (const [i, graph] of before.entries()) checkPorts(model, graph, after[i]!);
  checkReached(model, tree, before, after);
  if (
    tree !== model.module &&
    hasSameParameters(model.module, tree) &&
    signatureOf(before) === signatureOf(after)
  )
    throw new ConfigError({
      message: 'The change changes nothing that any graph of the model reads.',
      where: model.name,
      hint: 'The parts that it replaces are not run, or do as they did. A layer after the one whose states are taken is not run, such as the last one of a tower whose feature layer is -2.',
    });
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
function checkReached(
  model: Model,
  tree: AnyModule,
  before: readonly Graph[],
  after: readonly Graph[],
): void {
  const old = namedParameters(model.module);
  const known = new Set(old.values());
  const added = [...namedParameters(tree)].filter(([, parameter]) => !known.has(parameter));
  const lost = added
    .map(([path]) => path)
    .filter((path) => !after.some((graph) => graph.parameters.has(path)));
  if (lost.length === 0) return;
  const read = new Set(before.flatMap(({ parameters }) => [...parameters.keys()]));
  const unread = lost.flatMap((path) => unreadPlace(path, [...old.keys()], read) ?? []);
  const places = [...new Set(unread)];
  const hints = [
    ...(places.length > 0
      ? [
          `No graph reads '${places[0]}'${places.length > 1 ? ` and ${places.length - 1} more` : ''} before the change either, as it is with layers after the one whose states are taken: leave those out of the change.`,
        ]
      : []),
    ...(unread.length < lost.length
      ? ['A module must call the parts that it holds, through the parts that its function is given.']
      : []),
  ];
  throw new ConfigError({
    message: `${lost.length} of the ${added.length} parameters that the change brings are in no graph of the model, the first of them '${lost[0]}'.`,
    where: model.name,
    hint: hints.join(' '),
  });
}

/** The nearest place around a new parameter that had parameters before, if no graph read any of them. */
function unreadPlace(path: string, old: readonly string[], read: ReadonlySet<string>): string | undefined {
  const segments = path.split('.');
  for (let length = segments.length - 1; length > 0; length--) {
    const place = segments.slice(0, length).join('.');
    const there = old.filter((one) => one.startsWith(`${place}.`));
    if (there.length > 0) return there.some((one) => read.has(one)) ? undefined : place;
  }
  return undefined;
}

/** Whether both trees have the same parameters under the same paths. */
function hasSameParameters(before: AnyModule, after: AnyModule): boolean {
  const [old, now] = [namedParameters(before), namedParameters(after)];
  return old.size === now.size && [...old].every(([path, parameter]) => now.get(path) === parameter);
}
