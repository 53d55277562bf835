export * from './config.js';
export * from './olmo.js';
export * from './split-experts.js';
