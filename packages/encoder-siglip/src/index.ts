export * from './siglip.js';
