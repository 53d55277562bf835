export * from './qwen2.js';
