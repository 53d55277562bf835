export * from './clip.js';
