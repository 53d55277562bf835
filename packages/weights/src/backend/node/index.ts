export { removeTemporaries, writeFileAtomic } from './atomic.js';
export { files, makeFolder } from './files.js';
export { replaceFiles } from './replace-files.js';
export { fillSafetensors, writeCheckpoint, writeSafetensors } from './write.js';
