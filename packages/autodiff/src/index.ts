export type { AdamWOptions } from './adamw.js';
export { differentiate, gradientName } from './differentiate.js';
export type { MuonOptions } from './muon.js';
export { primitiveGradients, semanticGradients, type GradientRule } from './rules.js';
export {
  momentNames,
  nextName,
  stateNames,
  updateGraph,
  updateScalars,
  type TrainedParameter,
  type UpdateOptions,
  type UpdateRule,
} from './update.js';
