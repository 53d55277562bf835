export * from './config.js';
export * from './olmo.js';
