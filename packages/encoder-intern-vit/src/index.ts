export * from './intern-vit.js';
export * from './original-names.js';
