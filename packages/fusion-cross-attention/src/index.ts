export * from './cross-attention.js';
