export * from './unified.js';
