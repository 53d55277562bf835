export * from './patch-merger.js';
