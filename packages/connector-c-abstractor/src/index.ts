export * from './c-abstractor.js';
