export * from './dim.js';
export {
  makeGraph,
  rewrite,
  substitute,
  topologicalOrder,
  type Graph,
  type RewriteRule,
  type RewriteRules,
} from './graph.js';
export { mapModules, replaceAt, type ChangePart, type MapOptions } from './map-modules.js';
export * from './module.js';
export type * from './op-table.js';
export * from './ops.js';
export * from './parameter.js';
export { currentPath, joinPath, withPath } from './path.js';
export { convWindows, decompose, oneHot, reference, type ConvWindow } from './reference.js';
export * from './semantic.js';
export { input, trace } from './trace.js';
export { isFloat, isOp, makeNode, Value, type DType, type Node, type TensorType } from './value.js';
