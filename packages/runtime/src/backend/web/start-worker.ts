import type { Answer } from '../../worker-protocol.js';
import type { StartWorker } from '../worker-thread.js';

/** The part of a browser's worker that is needed here. */
interface BrowserWorker {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { readonly data: Answer }) => void): void;
  addEventListener(
    type: 'error' | 'messageerror',
    listener: (event: { readonly message?: string }) => void,
  ): void;
}
declare const Worker: new (url: URL, options: { readonly type: 'module' }) => BrowserWorker;

/** Starts the thread. It closes itself with its engine, and ends with the page. */
export const startWorker: StartWorker = (setup, { answer, failed }) => {
  // Bundlers know a worker by these words.
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.addEventListener('message', ({ data }) => answer(data));
  worker.addEventListener('error', ({ message }) => failed(message ?? 'its file cannot be loaded'));
  worker.addEventListener('messageerror', () => failed('an answer cannot be read'));
  worker.postMessage(setup);
  return {
    post: (call) => worker.postMessage(call),
    keepAlive: () => undefined,
  };
};
