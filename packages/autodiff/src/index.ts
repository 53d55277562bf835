export {
  adamw,
  nextName,
  stateNames,
  updateScalars,
  type AdamWOptions,
  type TrainedParameter,
} from './adamw.js';
export { differentiate, gradientName } from './differentiate.js';
export { primitiveGradients, semanticGradients, type GradientRule } from './rules.js';
