import { parentPort, workerData } from 'node:worker_threads';
import { modelOf } from '@weft/models';
import type { EngineSetup } from './engine.js';
import { importPackage } from './import-package.js';
import { LocalEngine } from './local-engine.js';
import { packError } from './remote-error.js';
import { guarded, type RunLock } from './run-lock.js';
import { buffersOf, type Answer, type Call } from './worker-protocol.js';

const port = parentPort!;
const { setup, lock } = workerData as { readonly setup: EngineSetup; readonly lock: RunLock };
const answer = (message: Answer, handOver: readonly unknown[] = []): void =>
  port.postMessage(message, buffersOf(handOver));

try {
  const model = await modelOf(setup.config, { ...setup.files, importPackage });
  const engine = await LocalEngine.create(setup, model, (action) => guarded(lock, action));
  port.on('message', ({ id, method, parameters }: Call) => {
    const call = engine[method] as (...given: readonly unknown[]) => Promise<unknown>;
    call.apply(engine, parameters as unknown[]).then(
      (result) => {
        answer({ id, result }, [result]);
        if (method === 'close') port.close();
      },
      (error: unknown) => answer({ id, error: packError(error) }),
    );
  });
  answer({ id: 0, result: undefined });
} catch (error) {
  answer({ id: 0, error: packError(error) });
}
