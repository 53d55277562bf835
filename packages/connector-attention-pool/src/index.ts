export * from './attention-pool.js';
export * from './crop-arranger.js';
