export * from './pixtral.js';
