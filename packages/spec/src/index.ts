export type * from './arranger.js';
export type * from './backbone.js';
export type * from './component.js';
export type * from './connector.js';
export type * from './fusion.js';
export type * from './model.js';
export * from './preset.js';
export type * from './prompt-form.js';
export type * from './vision-encoder.js';
