import { ConfigError } from '@weft/errors';
import { isOp, reference, rewrite, type Graph, type Node, type RewriteRule, type Value } from '@weft/graph';
import { Emitter } from './emitter.js';
import { cpu, hasFusedAttention, primitives, type EmitRule, type Lowering } from './lowering.js';
import { dataTypes, serializeModel, type ExternalTensor, type ValueInfo } from './model-proto.js';

/** Fused operators by capability of the execution provider. `reference` uses none: every operation is taken apart. */
export type Capability = 'cpu' | 'reference';
const lowerings: { readonly [C in Capability]: Lowering } = { cpu, reference: {} };

export interface EmitOptions {
  readonly name?: string;
  readonly capability?: Capability;
  /**
   * Where the data of a parameter lies, or `input`: the weight is then a graph input under its path, as in
   * training.
   */
  readonly weights: 'input' | ((path: string) => ExternalTensor);
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
 * @throws ConfigError if a weight has another number of elements than its parameter
 * @throws UnsupportedError if a size needed at run time is on no input
 */
export function emitModel(graph: Graph, options: EmitOptions): EmittedModel {
  const lowering = lowerings[options.capability ?? 'cpu'];
  const lowered = lower(graph, lowering);
  const e = new Emitter(lowered);
  const inputs: ValueInfo[] = [];
  for (const [name, value] of lowered.inputs) inputs.push(declare(e, value, name));
  if (options.weights === 'input')
    for (const [path, value] of lowered.parameters) inputs.push(declare(e, value, path));

  for (const node of lowered.nodes) {
    if (node.op === 'Input') continue;
    if (isOp(node, 'Parameter')) {
      if (options.weights !== 'input')
        e.bind(node.outputs[0]!, bindWeight(e, node, options.weights(node.attributes.path)));
      continue;
    }
    const rule = (primitives[node.op as 'Add'] ?? lowering[node.op as 'Linear']) as EmitRule<Node['op']>;
    const names = e.at(node.path, () =>
      rule(
        e,
        node,
        node.inputs.map((value) => e.nameOf(value)),
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

/** Replaces semantic operations that the lowering does not fuse by their references. */
function lower(graph: Graph, lowering: Lowering): Graph {
  const rules: Record<string, RewriteRule> = {};
  for (const [op, rule] of Object.entries(reference)) {
    if (op === 'Attention' && lowering.Attention)
      rules[op] = (node, inputs) =>
        isOp(node, 'Attention') && hasFusedAttention({ inputs, attributes: node.attributes })
          ? undefined
          : reference.Attention(node as Node<'Attention'>, inputs);
    else if (!(op in lowering)) rules[op] = rule as RewriteRule;
  }
  return rewrite(graph, rules);
}

/** Declares the external tensor under the parameter's path; storage types other than float32 are cast. */
function bindWeight(e: Emitter, node: Node<'Parameter'>, weight: ExternalTensor): string {
  const { path, parameter } = node.attributes;
  const elements = weight.shape.reduce((product, dim) => product * dim, 1);
  if (elements !== parameter.elements)
    throw new ConfigError({
      message: `The weight has the shape [${weight.shape.join(', ')}], the parameter [${parameter.shape.join(', ')}].`,
      where: path,
    });
  const name = e.unique(path);
  e.weights.set(name, { ...weight, shape: parameter.shape });
  return weight.dtype === 'float32'
    ? name
    : e.at(path, () => e.node('Cast', [name], { to: dataTypes.float32 }));
}
