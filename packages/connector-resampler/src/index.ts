export * from './query-pool.js';
export * from './resampler.js';
