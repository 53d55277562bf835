export * from './llama.js';
