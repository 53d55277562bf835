import { Worker } from 'node:worker_threads';
import type { Answer } from '../../worker-protocol.js';
import type { StartWorker } from '../worker-thread.js';
import { runLock, waitAtExit } from './run-lock.js';

/**
 * Starts the thread. It is never terminated, since that would end the process in the middle of a run: it finishes what is
 * under way, frees its sessions and exits.
 */
export const startWorker: StartWorker = (setup, { answer, failed, ended }) => {
  const lock = runLock();
  // Options of the main program, such as --input-type, may not suit the worker's file.
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: { setup, lock },
    execArgv: [],
  });
  const stopWaiting = waitAtExit(lock);
  worker.on('message', (message: Answer) => answer(message));
  worker.on('error', failed);
  worker.on('exit', () => {
    stopWaiting();
    ended();
  });
  return {
    post: (call) => worker.postMessage(call),
    keepAlive: (isBusy) => (isBusy ? worker.ref() : worker.unref()),
  };
};
