export { cacheFolder } from './cache-folder.js';
export { quantizedFile } from './quantized-file.js';
export { writeQuantized } from './write-quantized.js';
