export * from './mllama.js';
