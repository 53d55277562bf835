export { markText } from './from-program.js';
export type { RenderLimits } from './meter.js';
export { strftime } from './strftime.js';
export { compileTemplate, defaultLimits, isLimitError } from './template.js';
export type { RenderedPiece, RenderOptions, Template } from './template.js';
