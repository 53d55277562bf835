import { parentPort, workerData } from 'node:worker_threads';
import type { EngineSetup } from '../../engine.js';
import { serveEngine } from '../../serve-engine.js';
import { guarded, type RunLock } from './run-lock.js';

const port = parentPort!;
const { setup, lock } = workerData as { readonly setup: EngineSetup; readonly lock: RunLock };

await serveEngine(
  setup,
  {
    post: (answer, handOver) => port.postMessage(answer, handOver),
    listen: (handle) => port.on('message', handle),
    close: () => port.close(),
  },
  (action) => guarded(lock, action),
);
