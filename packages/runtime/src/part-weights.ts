import { ConfigError, WeightError } from '@weft/errors';
import { namedParameters, type Parameter } from '@weft/graph';
import type { PartInCheckpoint, PartName } from '@weft/models';
import { findPart, part as partAt, type Component, type Model, type PartDefinition } from '@weft/spec';
import {
  fromFloat32,
  splitTensors,
  toFloat32,
  type Checkpoint,
  type TensorEntry,
  type TensorToWrite,
} from '@weft/weights';
import { openPart } from './open-folder.js';
import { readEntry } from './read-entry.js';

export interface PartWeightsOptions {
  /**
   * What to do when the model's vocabulary is larger than the folder's: `mean` gives new tokens the mean of the old
   * ones, as transformers' `resize_token_embeddings` roughly does. Refused unless given.
   */
  readonly newTokens?: 'mean' | undefined;
  /** Definitions of parts that are not Weft's, of which the folder's model is made. */
  readonly parts?: readonly PartDefinition[] | undefined;
}

/**
 * The weights of one part of a composed model, from another checkpoint folder, under the names that they have in the
 * composed model. Data is read when the tensor is written.
 *
 * Cross-attention layers that a fusion adds to a backbone have no weights there, unless the folder has them too, nor has
 * what `mapModel` adds to a part that is otherwise that of the folder, such as LoRA's; take them from `initialWeights`.
 *
 * @param folder a checkpoint whose model has such a part, or the CLIP or SigLIP checkpoint of a vision tower
 * @throws ConfigError if the folder has no such part, or one of another kind
 * @throws WeightError if shapes differ, naming the sizes that the part must be built with
 */
export async function partWeights(
  folder: string,
  part: PartName,
  model: Model,
  { newTokens, parts }: PartWeightsOptions = {},
): Promise<TensorToWrite[]> {
  const { part: source, checkpoint } = await openPart(folder, part, { parts });
  const target = findPart(model, part);
  if (!target) throw new ConfigError({ message: `${model.name} has no ${part}.`, where: 'partWeights' });
  if (target.id !== source.part.id)
    throw new ConfigError({
      message: `The ${part} of the folder is ${source.part.id}, but that of the model is ${target.id}.`,
      where: folder,
      hint: `Compose the model with ${source.part.id}, or take the ${part} from another folder.`,
    });

  const isInterleaved = source.part.ropeInterleaved ?? false;
  if ((target.ropeInterleaved ?? false) !== isInterleaved)
    throw new ConfigError({
      message: `The ${part} of the folder and that of the model turn other channels of queries and keys together.`,
      where: folder,
      hint: `Build the ${part} with ropeInterleaved: ${isInterleaved}.`,
    });

  const found = tensorsOf(checkpoint, source);
  const paths = new Map([...namedParameters(model.module)].map(([path, parameter]) => [parameter, path]));
  const { added, tables } = ofBackbone(model);
  const result: TensorToWrite[] = [];
  const wrong: string[] = [];
  const own = parametersOf(source.part);
  const isAsMade = differingFields(source.part, target).length === 0;
  for (const [place, parameter] of parametersOf(target)) {
    const name = paths.get(parameter)!;
    const entry = found.get(place);
    if (!entry && (added.has(parameter) || (isAsMade && !own.has(place)))) continue;
    if (!entry) wrong.push(`${name}: not in the folder`);
    else if (sameShape(entry.shape, parameter.shape)) result.push({ name, ...copyOf(entry) });
    else if (newTokens === 'mean' && tables.has(parameter) && isLonger(parameter.shape, entry.shape))
      result.push({
        name,
        dtype: 'F32',
        shape: parameter.shape,
        data: () => withMeanRows(entry, parameter.shape[0]!),
      });
    else
      wrong.push(
        `${name}: the model has [${parameter.shape.join(', ')}], the folder [${entry.shape.join(', ')}]`,
      );
  }
  if (wrong.length > 0)
    throw new WeightError({
      message: [
        `The ${part} of the folder does not fit: ${wrong.length} parameters differ.`,
        ...wrong.slice(0, 8).map((line) => `    ${line}`),
      ].join('\n'),
      where: folder,
      hint: mend(part, source.part, target),
    });
  return result;
}

/** Parameters that no checkpoint of the backbone has, since the fusion added them; and those with a row for each token. */
function ofBackbone(model: Model): { readonly added: Set<Parameter>; readonly tables: Set<Parameter> } {
  const { layers, tokenTables } = partAt(model, 'backbone');
  const added = model.added.flatMap((layer) => [...namedParameters(layers[layer]!).values()]);
  return { added: new Set(added), tables: new Set(tokenTables) };
}

/** The part's tensors in the folder, by their places in the part. */
function tensorsOf(
  { tensors }: Checkpoint,
  { part, path, rename, split }: PartInCheckpoint,
): Map<string, TensorEntry> {
  const places = new Map([...parametersOf(part)].map(([place, parameter]) => [parameter, place]));
  const placeOf = new Map(
    [...namedParameters(part)].map(([name, parameter]) => [
      path === '' ? name : `${path}.${name}`,
      places.get(parameter)!,
    ]),
  );
  const found = new Map<string, TensorEntry>();
  for (const [name, entry] of splitTensors(tensors, split)) {
    const place = placeOf.get(rename(name));
    if (place !== undefined) found.set(place, entry);
  }
  return found;
}

/**
 * Parameters of a part by their places: the part's own keys, since compositions give those other paths, and below them
 * checkpoint paths, which stay when a layer is wrapped in another one.
 */
const parametersOf = ({ parts }: Component): Map<string, Parameter> => namedParameters(parts);

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i]);
const isLonger = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a[0]! > b[0]! && sameShape(a.slice(1), b.slice(1));

const copyOf = (entry: TensorEntry): Omit<TensorToWrite, 'name'> => ({
  dtype: entry.dtype,
  shape: entry.shape,
  data: () => readEntry(entry),
});

async function withMeanRows(entry: TensorEntry, rows: number): Promise<Uint8Array<ArrayBuffer>> {
  const known = toFloat32(await readEntry(entry), entry.dtype);
  const [old = 0, size = 0] = entry.shape;
  const values = new Float32Array(rows * size);
  values.set(known);
  for (let column = 0; column < size; column++) {
    let sum = 0;
    for (let row = 0; row < old; row++) sum += known[row * size + column]!;
    for (let row = old; row < rows; row++) values[row * size + column] = sum / old;
  }
  return fromFloat32(values, 'F32');
}

/** What to change in the model: the fields in which the two parts' configurations differ. */
function mend(part: PartName, source: Component, target: Component): string {
  const fields = differingFields(source, target);
  const values = fields.map(
    (key) =>
      `${key}: ${JSON.stringify(source.config[key])} (the model has ${JSON.stringify(target.config[key])})`,
  );
  const table = fields.includes('vocabSize')
    ? " A larger vocabulary is filled up with { newTokens: 'mean' }."
    : '';
  return fields.length === 0
    ? `Both have the same configuration; the ${part} of the folder is incomplete, or stands between parts of other widths.`
    : `Build the ${part} with the folder's values: ${values.join(', ')}.${table}`;
}

const differingFields = (source: Component, target: Component): string[] =>
  Object.keys({ ...source.config, ...target.config }).filter(
    (key) => JSON.stringify(source.config[key]) !== JSON.stringify(target.config[key]),
  );
