export * from './pixel-shuffle.js';
export * from './shuffle-mlp.js';
