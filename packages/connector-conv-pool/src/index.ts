export * from './conv-pool.js';
