import { Worker } from 'node:worker_threads';
import type { RenderAnswer, StartRenderThread } from '../../render-request.js';

/** Starts a thread for one rendering. */
export const startRenderThread: StartRenderThread = (request, { answer, failed }) => {
  // Options of the main program, such as --input-type, may not suit the worker's file.
  const worker = new Worker(new URL('./render-worker.js', import.meta.url), {
    workerData: request,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });
  worker.on('message', (message: RenderAnswer) => answer(message));
  worker.on('error', (error: Error) => failed(error.message));
  worker.on('exit', () => failed('it ended without an answer'));
  return { end: () => void worker.terminate() };
};
