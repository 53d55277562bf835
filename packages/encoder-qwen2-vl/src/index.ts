export * from './qwen2-vl.js';
