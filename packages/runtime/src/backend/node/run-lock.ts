/**
 * Shared between a worker and its main thread: ending the process in the middle of a native run would abort it with
 * SIGABRT, so the exit waits for the run, and no other run starts.
 */
export type RunLock = Int32Array;

const busy = 0;
const stopping = 1;
/** A run is a chunk of a prompt or one picture; longer than this something hangs. ms. */
const longestWait = 120_000;

export const runLock = (): RunLock => new Int32Array(new SharedArrayBuffer(8));

/** In the worker: runs the action unless the process is ending; then it stays pending for ever. */
export async function guarded<T>(lock: RunLock, action: () => Promise<T>): Promise<T> {
  const release = (): void => {
    Atomics.store(lock, busy, 0);
    Atomics.notify(lock, busy);
  };
  // Busy before looking: the main thread asks for the end before it looks whether the worker is busy.
  Atomics.store(lock, busy, 1);
  if (Atomics.load(lock, stopping) === 1) {
    release();
    return new Promise(() => undefined);
  }
  try {
    return await action();
  } finally {
    release();
  }
}

const locks = new Set<RunLock>();

function waitForAll(): void {
  for (const lock of locks) Atomics.store(lock, stopping, 1);
  for (const lock of locks) Atomics.wait(lock, busy, 1, longestWait);
}

/** In the main thread: lets the end of the process wait for the worker's run. @returns a function that ends that */
export function waitAtExit(lock: RunLock): () => void {
  if (locks.size === 0) process.on('exit', waitForAll);
  locks.add(lock);
  return () => {
    locks.delete(lock);
    if (locks.size === 0) process.off('exit', waitForAll);
  };
}
