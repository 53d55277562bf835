export * from './aria.js';
export * from './config.js';
export * from './split-experts.js';
