import { parentPort, workerData } from 'node:worker_threads';
import type { EngineSetup } from '../../engine.js';
import { serveEngine } from '../../serve-engine.js';
import { guarded, type RunLock } from './run-lock.js';

const port = parentPort!;
const { setup, lock } = workerData as { readonly setup: EngineSetup; readonly lock: RunLock };

/** Ends the thread. The port that Deno gives its workers cannot be closed; their scope can, as in a browser. */
const end = (): void => {
  const { close } = globalThis as { readonly close?: () => void };
  if (typeof port.close === 'function') port.close();
  else close?.();
};

await serveEngine(
  setup,
  {
    post: (answer, handOver) => port.postMessage(answer, handOver),
    listen: (handle) => port.on('message', handle),
    close: end,
  },
  (action) => guarded(lock, action),
);
