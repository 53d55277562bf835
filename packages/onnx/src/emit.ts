import { ConfigError } from '@weft/errors';
import {
  isOp,
  reference,
  rewrite,
  type Graph,
  type Node,
  type RewriteRule,
  type SemanticOp,
  type Value,
} from '@weft/graph';
import { dequantizeNodes } from './dequantize-nodes.js';
import { Emitter } from './emitter.js';
import { dataTypes, serializeModel, type ExternalTensor, type ValueInfo } from './model-proto.js';
import { primitives } from './primitives.js';
import { checkBlocks, isBlocks, sliceRows, type StoredWeight } from './stored-weight.js';
import { takesBlocks, type EmitRule, type Target } from './target.js';
import { cpu } from './targets/cpu.js';

export interface EmitOptions {
  readonly name?: string;
  /** What the model shall run on; the processor unless given. */
  readonly target?: Target;
  /**
   * How the data of a parameter is stored, or `input`: the weight is then a graph input under its path, as in
   * training.
   */
  readonly weights: 'input' | ((path: string) => StoredWeight);
  readonly metadata?: Readonly<Record<string, string>>;
}

/** An ONNX file in memory, without its weights. */
export interface EmittedModel {
  readonly bytes: Uint8Array;
  /** Graph inputs in order; weights fed as inputs come last. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodeCount: number;
}

/**
 * Lowers a graph and writes it as an ONNX model.
 *
 * @throws ConfigError if a weight has another number of elements than its parameter, or other sizes than its form says
 * @throws UnsupportedError if a size needed at run time is on no input
 */
export function emitModel(graph: Graph, options: EmitOptions): EmittedModel {
  const { target = cpu } = options;
  const lowered = lower(graph, target);
  const e = new Emitter(lowered, {
    takes: (...given) => takesBlocks(target, ...given),
    compute: dequantizeNodes,
  });
  const inputs: ValueInfo[] = [];
  for (const [name, value] of lowered.inputs) inputs.push(declare(e, value, name));
  if (options.weights === 'input')
    for (const [path, value] of lowered.parameters) inputs.push(declare(e, value, path));

  for (const node of lowered.nodes) {
    if (node.op === 'Input') continue;
    if (isOp(node, 'Parameter')) {
      if (options.weights !== 'input') bindWeight(e, node, options.weights(node.attributes.path));
      continue;
    }
    if (isOp(node, 'Slice') && storedRows(e, node)) continue;
    const rule = (target.lowering[node.op as 'Add'] ?? primitives[node.op as 'Add']) as EmitRule<Node['op']>;
    const names = e.at(node.path, () =>
      rule(
        e,
        node,
        node.inputs.map((value) => (e.blocksFor(node, value) ? '' : e.nameOf(value))),
      ),
    );
    for (const [i, output] of node.outputs.entries()) e.bind(output, names[i]!);
  }

  const outputs = Object.entries(lowered.outputs).map(([name, value]) => {
    e.nodes.push({
      type: 'Identity',
      domain: '',
      name: `output/${name}`,
      inputs: [e.nameOf(value)],
      outputs: [name],
      attributes: {},
    });
    return { name, dtype: value.dtype, shape: value.shape };
  });
  const bytes = serializeModel({
    name: options.name ?? 'weft',
    nodes: e.nodes,
    inputs,
    outputs,
    constants: e.constants,
    weights: e.weights,
    metadata: options.metadata ?? {},
  });
  return { bytes, inputs, outputs, nodeCount: e.nodes.length };
}

function declare(e: Emitter, value: Value, name: string): ValueInfo {
  e.bind(value, e.unique(name));
  return { name, dtype: value.dtype, shape: value.shape };
}

/** Takes apart semantic operations that the target has no rule for, in its own way or by the reference. */
function lower(graph: Graph, target: Target): Graph {
  const expansions = target.expansions();
  const rules: Record<string, RewriteRule> = {};
  for (const op of Object.keys(reference) as SemanticOp[]) {
    const apart = (expansions[op] ?? reference[op]) as RewriteRule;
    rules[op] = (node, inputs) =>
      op in target.lowering && target.serves({ op, attributes: node.attributes, inputs })
        ? undefined
        : apart(node, inputs);
  }
  return rewrite(graph, rules);
}

/** Declares a weight under the parameter's path; plain storage types other than float32 are cast. */
function bindWeight(e: Emitter, node: Node<'Parameter'>, weight: StoredWeight): void {
  const { path, parameter } = node.attributes;
  if (isBlocks(weight)) {
    checkBlocks(path, weight, parameter.shape);
    e.store(node.outputs[0]!, path, weight);
  } else e.bind(node.outputs[0]!, bindPlain(e, node, weight));
}

function bindPlain(e: Emitter, { attributes }: Node<'Parameter'>, weight: ExternalTensor): string {
  const { path, parameter } = attributes;
  const elements = weight.shape.reduce((product, dim) => product * dim, 1);
  if (elements !== parameter.elements)
    throw new ConfigError({
      message: `The weight has the shape [${weight.shape.join(', ')}], the parameter [${parameter.shape.join(', ')}].`,
      where: path,
    });
  const name = e.weight(path, { ...weight, shape: parameter.shape });
  return weight.dtype === 'float32'
    ? name
    : e.at(path, () => e.node('Cast', [name], { to: dataTypes.float32 }));
}

/** Rows of a matrix in blocks are a matrix in blocks, such as the words of a table that a head predicts. */
function storedRows(e: Emitter, { attributes, inputs, outputs }: Node<'Slice'>): boolean {
  const [whole] = inputs;
  const stored = e.stored(whole!);
  const { axis, start, end } = attributes;
  if (!stored || whole!.rank !== 2 || axis !== 0 || typeof start !== 'number' || typeof end !== 'number')
    return false;
  if (whole!.shape[0] !== stored.blocks.shape[0]) return false;
  e.store(outputs[0]!, stored.path, sliceRows(stored.blocks, start, end));
  return true;
}
