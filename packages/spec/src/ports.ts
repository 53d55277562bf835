import { ConfigError } from '@weft/errors';
import { isModule } from '@weft/graph';
import type { Arranger } from './arranger.js';
import type { Backbone } from './backbone.js';
import type { Component } from './component.js';
import type { Connector } from './connector.js';
import type { Model, Sense, SenseKind } from './model.js';
import type { VisionEncoder } from './vision-encoder.js';

/** What stands at the usual keys of a model's tree. */
export interface ModelParts {
  readonly encoder: VisionEncoder;
  readonly connector: Connector;
  readonly arranger: Arranger;
  readonly backbone: Backbone;
}

/** The parts that a sense goes through, from the tree of its model. */
export interface SenseParts {
  readonly encoder: VisionEncoder;
  readonly connector: Connector;
  readonly arranger: Arranger | undefined;
}

type Tree = Pick<Model, 'name' | 'module'>;

/** A part of a model, or `undefined` if its tree has none at the key. */
export function findPart<K extends keyof ModelParts>(model: Tree, key: K): ModelParts[K] | undefined;
export function findPart(model: Tree, key: string): Component | undefined;
export function findPart({ module: { parts } }: Tree, key: string): Component | undefined {
  const found = Object.hasOwn(parts, key) ? parts[key] : undefined;
  return isModule(found) ? (found as Component) : undefined;
}

/**
 * A part of a model, as it stands in the model's tree.
 *
 * @throws ConfigError if the tree has no such part
 */
export function part<K extends keyof ModelParts>(model: Tree, key: K): ModelParts[K];
export function part(model: Tree, key: string): Component;
export function part(model: Tree, key: string): Component {
  const found = findPart(model, key);
  if (found) return found;
  throw new ConfigError({
    message: `${model.name} has no part '${key}'.`,
    hint: `It has: ${Object.keys(model.module.parts).join(', ')}.`,
  });
}

/** The sense of a kind, or `undefined` if the model has none. */
export const senseOf = <K extends SenseKind>(
  { senses }: Pick<Model, 'senses'>,
  kind: K,
): Extract<Sense, { readonly kind: K }> | undefined =>
  senses.find((sense): sense is Extract<Sense, { readonly kind: K }> => sense.kind === kind);

/**
 * The parts that a sense goes through.
 *
 * @throws ConfigError if the tree lacks one that the sense names
 */
export const sensePartsOf = (model: Tree, { encoder, connector, arranger }: Sense): SenseParts => ({
  encoder: part(model, encoder) as VisionEncoder,
  connector: part(model, connector) as Connector,
  arranger: arranger === undefined ? undefined : (part(model, arranger) as Arranger),
});
