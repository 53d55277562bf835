export { importPackage } from './import-package.js';
export { loadRuntime, mapsFiles } from './load-runtime.js';
export { startWorker } from './start-worker.js';
