import { isOp, type Graph, type Node, type Value } from '@weft/graph';
import type { Model } from '@weft/spec';
import { textGraph, visionGraph } from './graphs.js';

/** The graphs that all others of a model are made like: of text, and of sight if it has any. */
export const graphsOf = (model: Model): readonly Graph[] => [
  textGraph(model),
  ...(model.senses.length > 0 ? [visionGraph(model)] : []),
];

/**
 * What a model computes, as text: every operation of its graphs with attributes and inputs, parameters by their paths.
 * Two models with one signature give the same numbers from the same weights.
 *
 * @param rename what to call a parameter instead of its path
 */
export const modelSignature = (model: Model, rename?: (path: string) => string): string =>
  signatureOf(graphsOf(model), rename);

/** The signature of graphs, as `modelSignature` has it. */
export function signatureOf(graphs: readonly Graph[], rename = (path: string): string => path): string {
  return graphs
    .map(({ nodes, outputs }) => {
      const numbers = new Map(nodes.map((node, i) => [node, i]));
      const at = ({ node, index }: Value): string => `${numbers.get(node)}.${index}`;
      return [
        ...nodes.map((node) => `${node.op} ${attributesOf(node, rename)} ${node.inputs.map(at).join()}`),
        ...Object.entries(outputs).map(([name, value]) => `${name} = ${at(value)}`),
      ].join('\n');
    })
    .join('\n\n');
}

function attributesOf(node: Node, rename: (path: string) => string): string {
  if (isOp(node, 'Parameter')) {
    const { path, parameter } = node.attributes;
    return print([rename(path), parameter.shape]);
  }
  if (isOp(node, 'Constant')) {
    const { dtype, shape, data } = node.attributes;
    return print([dtype, shape, digest(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))]);
  }
  // The types of all else follow from attributes and inputs.
  const types = isOp(node, 'Input') ? node.outputs.map(({ dtype, shape }) => [dtype, shape]) : [];
  return print([node.attributes, ...types]);
}

/** JSON with keys in order and every number as it is: JSON has neither infinities nor negative zero. */
const print = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'number' && (!Number.isFinite(part) || Object.is(part, -0)))
      return Object.is(part, -0) ? '-0' : String(part);
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });

/** 64 bits of the bytes: FNV-1a from two beginnings, since constants such as masks are too long to print. */
function digest(bytes: Uint8Array): string {
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x85ebca6b) + 1;
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}
