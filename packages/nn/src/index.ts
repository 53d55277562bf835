export * from './activation.js';
export * from './decoder.js';
export * from './heads.js';
export * from './linear.js';
export * from './mlp.js';
export * from './norm.js';
export * from './rotary.js';
export * from './vision-transformer.js';
