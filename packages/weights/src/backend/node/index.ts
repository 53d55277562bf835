export { removeTemporaries, writeFileAtomic } from './atomic.js';
export { files } from './files.js';
export { writeCheckpoint, writeSafetensors } from './write.js';
