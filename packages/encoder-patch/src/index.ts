export * from './patch.js';
