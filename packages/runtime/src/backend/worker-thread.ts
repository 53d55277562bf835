import type { EngineSetup } from '../engine.js';
import type { Answer, Call } from '../worker-protocol.js';

/** What a worker tells the thread that started it. */
export interface WorkerEvents {
  readonly answer: (answer: Answer) => void;
  readonly failed: (cause: unknown) => void;
  /** There is no worker any more. Not every place says so. */
  readonly ended: () => void;
}

/** A thread that serves an engine, seen from the thread that started it. */
export interface WorkerThread {
  post(call: Call): void;
  /** Whether the worker has work to do, and so keeps the process alive; it does until something else is said. */
  keepAlive(isBusy: boolean): void;
}

/** Starts a thread with an engine; its first answer says whether the engine started. */
export type StartWorker = (setup: EngineSetup, events: WorkerEvents) => WorkerThread;

/** A worker's own end of the way to the thread that started it. */
export interface WorkerPort {
  post(answer: Answer, handOver: ArrayBuffer[]): void;
  listen(handle: (call: Call) => void): void;
  close(): void;
}
