export * from './persimmon.js';
