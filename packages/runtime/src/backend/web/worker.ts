import type { EngineSetup } from '../../engine.js';
import { serveEngine } from '../../serve-engine.js';
import type { Call } from '../../worker-protocol.js';

/** The part of a worker's scope that is needed here. */
interface WorkerScope {
  postMessage(message: unknown, handOver?: ArrayBuffer[]): void;
  addEventListener(
    type: 'message',
    listener: (event: { readonly data: unknown }) => void,
    options?: { readonly once: boolean },
  ): void;
  close(): void;
}
declare const self: WorkerScope;

// The first message is what the engine is made from, all others are calls.
self.addEventListener(
  'message',
  ({ data }) =>
    void serveEngine(data as EngineSetup, {
      post: (answer, handOver) => self.postMessage(answer, handOver),
      listen: (handle) => self.addEventListener('message', (event) => handle(event.data as Call)),
      close: () => self.close(),
    }),
  { once: true },
);
