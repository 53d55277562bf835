export * from './any-shape.js';
export * from './siglip.js';
