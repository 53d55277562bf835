export { anyresArranger, anyresPart } from './anyres.js';
export { planAnyres, type AnyresConfig, type AnyresPlan } from './plan.js';
export { indexRows, type RowIndex } from './row-index.js';
