export { adamw, nextName, stateNames, type AdamWOptions, type TrainedParameter } from './adamw.js';
export { differentiate, gradientName } from './differentiate.js';
export { primitiveGradients, semanticGradients, type GradientRule } from './rules.js';
