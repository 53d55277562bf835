export * from './phi.js';
export * from './phi3.js';
