import { InputError } from '@weft/errors';
import {
  isModule,
  isOp,
  namedParameters,
  type Attributes,
  type Graph,
  type Parameter,
  type Value,
} from '@weft/graph';
import { textGraph, visionGraph } from '@weft/models';
import { schemeOf, type Scheme, type WeightDtype } from '@weft/quantize';
import { findPart, part, senseOf, type Model } from '@weft/spec';

/** Forms of weights by the part that they belong to, or by a pattern of their paths. */
export type WeightDtypes = Readonly<Record<string, WeightDtype>>;

/**
 * In which form the weights of a model are kept: one for all, a choice by its name, or forms by part (`encoder`,
 * `connector`, `arranger`, `backbone`, and `head` for the matrices with a row for each token: that which predicts tokens and
 * the table of tokens, often one) and by path, in which `*` stands for anything. A path counts before a part, and a later
 * path before an earlier one.
 */
export type DtypeOption = WeightDtype | ChoiceName | WeightDtypes;

/**
 * Choices by name. What is not named in one stays as its file has it.
 *
 * - `exact`: everything as in the files.
 * - `q8`: all matrices in 8 bits.
 * - `q4`: the language model's layers in 4 bits but for the small matrices that make values, the rest in 8. Of the answers of
 *   the embedded model it changes 0.9 % instead of 2.1 % with values in 4 bits.
 * - `fast`: 4 bits for values and the head, too.
 */
export const choices = {
  exact: {},
  q8: { encoder: 'q8', connector: 'q8', arranger: 'q8', backbone: 'q8', head: 'q8' },
  q4: {
    encoder: 'q8',
    connector: 'q8',
    arranger: 'q8',
    backbone: 'q4',
    head: 'q8',
    '*.v_proj.weight': 'q8',
  },
  fast: { encoder: 'q8', connector: 'q8', arranger: 'q8', backbone: 'q4', head: 'q4' },
} as const satisfies Readonly<Record<string, WeightDtypes>>;

export type ChoiceName = keyof typeof choices;

/** A matrix that products or tables read row by row, so that it can be stored in blocks along its rows. */
export interface SmallWeight {
  /** Of the parameter in the model. */
  readonly path: string;
  readonly shape: readonly [rows: number, columns: number];
  /** Key of the part in the model's tree, or `head`. */
  readonly part: string;
}

/** The matrices of a model that can be stored in blocks, in the order of its parameters. */
export function smallWeights(model: Model): SmallWeight[] {
  const graphs = graphsOf(model);
  const fit = new Map<string, boolean>();
  for (const graph of graphs)
    for (const [path, isFit] of usesIn(graph)) fit.set(path, (fit.get(path) ?? true) && isFit);
  const tables = new Set(part(model, 'backbone').tokenTables);
  const heads = new Set(graphs.flatMap(headsOf));
  const parts = new Map<Parameter, string>();
  for (const key of Object.keys(model.module.parts)) {
    const component = findPart(model, key);
    if (component && isModule(component))
      for (const parameter of namedParameters(component).values())
        if (!parts.has(parameter)) parts.set(parameter, key);
  }
  return [...namedParameters(model.module)].flatMap(([path, parameter]): SmallWeight[] => {
    const [rows, columns, ...more] = parameter.shape;
    if (!fit.get(path) || rows === undefined || columns === undefined || more.length > 0) return [];
    const isHead = heads.has(path) || tables.has(parameter);
    return [{ path, shape: [rows, columns], part: isHead ? 'head' : (parts.get(parameter) ?? '') }];
  });
}

function graphsOf(model: Model): Graph[] {
  const sight = senseOf(model, 'image');
  return [textGraph(model), ...(sight ? [visionGraph(model)] : [])];
}

const pathOf = ({ node }: Value): string | undefined =>
  isOp(node, 'Parameter') ? node.attributes.path : undefined;

/** The parameters of a graph, and whether all that read one take it in blocks. */
function usesIn({ nodes }: Graph): Map<string, boolean> {
  const fit = new Map<string, boolean>();
  /** Rows of a matrix, such as the words of a table that a head predicts, are a matrix. */
  const rowsOf = new Map<Value, string>();
  for (const node of nodes)
    node.inputs.forEach((value, at) => {
      const path = pathOf(value) ?? rowsOf.get(value);
      if (path === undefined) return;
      const isRows = isOp(node, 'Slice') && node.attributes.axis === 0;
      if (isRows) rowsOf.set(node.outputs[0]!, path);
      const { layout } = node.attributes as Partial<Attributes<'GroupedLinear'>>;
      const takes =
        isRows ||
        (node.op === 'Linear' && at === 1) ||
        (node.op === 'Embedding' && at === 1) ||
        (node.op === 'GroupedLinear' && at >= 2 && layout === 'out-in');
      fit.set(path, (fit.get(path) ?? true) && takes);
    });
  return fit;
}

/** The matrices that logits are products with. */
function headsOf({ outputs }: Graph): string[] {
  let value = outputs['logits'];
  // A head may be followed by a scale, a cap or a bias, none of which is a product with a matrix.
  for (let steps = 0; value && steps < 16; steps++) {
    const { node }: { node: Value['node'] } = value;
    if (node.op === 'Linear') {
      const matrix = node.inputs[1]!;
      const path = pathOf(matrix) ?? pathOf(matrix.node.inputs[0] ?? matrix);
      return path === undefined ? [] : [path];
    }
    value = node.inputs[0];
  }
  return [];
}

/** A matrix and how it is to be stored. */
export interface ChosenWeight extends SmallWeight {
  readonly scheme: Scheme;
}

/**
 * The matrices of a model that an option wants stored in blocks.
 *
 * @throws InputError for an unknown form, and for a part or pattern that names no matrix of the model
 */
export function chooseWeights(model: Model, option: DtypeOption): ChosenWeight[] {
  const wanted = formsOf(option);
  if (wanted.size === 0) return [];
  const weights = smallWeights(model);
  const patterns = [...wanted].map(([key, scheme]) => ({ key, scheme, matches: matcher(key), used: false }));
  const chosen = weights.flatMap((weight): ChosenWeight[] => {
    const byPath = patterns.filter(({ key, matches }) => !isPart(key) && matches(weight));
    const byPart = patterns.filter(({ key, matches }) => isPart(key) && matches(weight));
    for (const pattern of [...byPath, ...byPart]) pattern.used = true;
    const { scheme } = byPath.at(-1) ?? byPart.at(-1) ?? {};
    return scheme ? [{ ...weight, scheme }] : [];
  });
  const isOwn = typeof option === 'object' && !isScheme(option);
  const idle = isOwn ? patterns.find(({ used }) => !used) : undefined;
  if (idle)
    throw new InputError({
      message: `'${idle.key}' names no weight of ${model.name} that can be stored in blocks.`,
      where: 'dtype',
      hint: `Parts with such weights are ${[...new Set(weights.map(({ part }) => part))].join(', ')}; paths look like ${weights[0]?.path ?? ''}.`,
    });
  return chosen;
}

const partNames = ['encoder', 'connector', 'arranger', 'backbone', 'head'];
const isPart = (key: string): boolean => partNames.includes(key);

const isScheme = (value: object): boolean => 'bits' in value;

/** The key of a form that holds for all matrices. */
const all = '*';

function formsOf(option: DtypeOption): Map<string, Scheme | undefined> {
  if (typeof option === 'string' && Object.hasOwn(choices, option))
    return new Map(Object.entries(choices[option as ChoiceName]).map(([key, form]) => [key, schemeOf(form)]));
  if (typeof option === 'string' || isScheme(option ?? {})) {
    const scheme = schemeOf(option, 'dtype', Object.keys(choices));
    return new Map(scheme ? [[all, scheme]] : []);
  }
  if (typeof option !== 'object' || option === null || Array.isArray(option))
    return new Map([[all, schemeOf(option)]]);
  return new Map(Object.entries(option).map(([key, form]) => [key, schemeOf(form, `dtype.${key}`)]));
}

function matcher(key: string): (weight: SmallWeight) => boolean {
  if (isPart(key)) return ({ part }) => part === key;
  const pattern = new RegExp(
    `^${key
      .split('*')
      .map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
      .join('.*')}$`,
  );
  return ({ path }) => pattern.test(path);
}
