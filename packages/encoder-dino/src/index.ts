export * from './dino.js';
