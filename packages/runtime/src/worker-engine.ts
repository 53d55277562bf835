import { startWorker } from '#backend';
import { SessionError } from '@weft/errors';
import type { Engine, EngineSetup } from './engine.js';
import type { Eye, SeenPicture } from './preparer.js';
import { unpackError } from './remote-error.js';
import type { Call, Method } from './worker-protocol.js';

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * An engine in a thread of its own, so that the caller's event loop stays free while ONNX Runtime computes. When it is
 * closed the thread finishes what is under way, frees its sessions and exits. While nothing is under way it does not keep
 * the process alive.
 *
 * @returns the engine, and the worker's eye if the setup says how to make one
 * @throws SessionError if ONNX Runtime refuses a graph
 */
export async function startWorkerEngine(
  setup: EngineSetup,
): Promise<{ readonly engine: Engine; readonly eye: Eye | undefined }> {
  const pending = new Map<number, Pending>();
  let calls = 0;
  let failure: Error | undefined;
  let closing: Promise<void> | undefined;

  const wait = <T>(id: number): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (pending.size === 0) worker.keepAlive(true);
      pending.set(id, { resolve: resolve as Pending['resolve'], reject });
    });
  const settle = (id: number): Pending | undefined => {
    const entry = pending.get(id);
    pending.delete(id);
    if (pending.size === 0) worker.keepAlive(false);
    return entry;
  };
  const fail = (error: Error): void => {
    failure ??= error;
    for (const id of [...pending.keys()]) settle(id)?.reject(failure);
  };
  const ended = (): void =>
    fail(new SessionError({ message: 'The model was closed.', hint: 'Load it again.' }));
  const worker = startWorker(setup, {
    answer: (message) => {
      const entry = settle(message.id);
      if ('error' in message) entry?.reject(unpackError(message.error));
      else entry?.resolve(message.result as never);
    },
    failed: (cause) =>
      fail(new SessionError({ message: `The worker thread failed: ${String(cause)}`, cause })),
    ended,
  });

  const call = <T>(method: Method, parameters: readonly unknown[]): Promise<T> => {
    if (failure) return Promise.reject(failure);
    const id = ++calls;
    const message: Call = { id, method, parameters };
    const answer = wait<T>(id);
    try {
      worker.post(message);
    } catch (cause) {
      settle(id)?.reject(
        new SessionError({
          message: `The call cannot be sent to the worker thread: ${String(cause)}`,
          cause,
        }),
      );
    }
    return answer;
  };

  await wait<void>(0);
  return {
    engine: {
      see: (sights, keep) => call('see', [sights, keep]),
      embeds: (picture) => call('embeds', [picture]),
      forget: (pictures) => call('forget', [pictures]),
      open: (blocks) => call('open', [blocks]),
      hold: (id, blocks) => call('hold', [id, blocks]),
      fork: (id) => call('fork', [id]),
      truncate: (id, length) => call('truncate', [id, length]),
      release: (id) => call('release', [id]),
      step: (rows) => call('step', [rows]),
      close: () => (closing ??= failure ? Promise.resolve() : call<void>('close', []).then(ended)),
    },
    eye: setup.preparer ? (looks, keep) => call<readonly SeenPicture[]>('look', [looks, keep]) : undefined,
  };
}
