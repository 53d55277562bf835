export { importPackage } from './import-package.js';
export { loadRuntime, mapsFiles } from './load-runtime.js';
export { processors } from './processors.js';
export { startWorker } from './start-worker.js';
