import { answerOf, type RenderAnswer, type RenderRequest } from '../../render-request.js';

/** The part of a worker's own scope that is needed here. */
interface WorkerScope {
  postMessage(answer: RenderAnswer): void;
  addEventListener(type: 'message', listener: (event: { readonly data: RenderRequest }) => void): void;
}

const scope = globalThis as unknown as WorkerScope;
scope.addEventListener('message', ({ data }) => scope.postMessage(answerOf(data)));
