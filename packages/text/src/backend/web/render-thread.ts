import type { RenderAnswer, RenderRequest, StartRenderThread } from '../../render-request.js';

/** The part of a browser's worker that is needed here. */
interface BrowserWorker {
  postMessage(request: RenderRequest): void;
  terminate(): void;
  addEventListener(type: 'message', listener: (event: { readonly data: RenderAnswer }) => void): void;
  addEventListener(
    type: 'error' | 'messageerror',
    listener: (event: { readonly message?: string }) => void,
  ): void;
}
declare const Worker: new (url: URL, options: { readonly type: 'module' }) => BrowserWorker;

/** Starts a thread for one rendering. */
export const startRenderThread: StartRenderThread = (request, { answer, failed }) => {
  // Bundlers know a worker by these words.
  const worker = new Worker(new URL('./render-worker.js', import.meta.url), { type: 'module' });
  worker.addEventListener('message', ({ data }) => answer(data));
  worker.addEventListener('error', ({ message }) => failed(message ?? 'its file cannot be loaded'));
  worker.addEventListener('messageerror', () => failed('its answer cannot be read'));
  worker.postMessage(request);
  return { end: () => worker.terminate() };
};
