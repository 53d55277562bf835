export { writeFileAtomic } from './atomic.js';
export { files } from './files.js';
export { replaceFiles } from './replace-files.js';
export { fillSafetensors, writeCheckpoint, writeSafetensors } from './write.js';
