import { parentPort, workerData } from 'node:worker_threads';
import { modelOf } from '@weft/models';
import type { Engine, EngineSetup } from './engine.js';
import { importPackage } from './import-package.js';
import { LocalEngine } from './local-engine.js';
import { eyeOf, preparerOf, type Eye } from './preparer.js';
import { packError } from './remote-error.js';
import { guarded, type RunLock } from './run-lock.js';
import { buffersOf, type Answer, type Call, type Method } from './worker-protocol.js';

const port = parentPort!;
const { setup, lock } = workerData as { readonly setup: EngineSetup; readonly lock: RunLock };
const answer = (message: Answer, handOver: readonly unknown[] = []): void =>
  port.postMessage(message, buffersOf(handOver));

/** The eye of the model that the setup names, made when the first picture comes. */
function lazyEye({ preparer }: EngineSetup, engine: Engine): Eye {
  let eye: Promise<Eye> | undefined;
  const open = async (): Promise<Eye> => {
    const model = await modelOf(preparer!.config, { ...preparer!.files, importPackage });
    return eyeOf(preparerOf(model), engine);
  };
  return async (looks, keep) => (await (eye ??= open()))(looks, keep);
}

try {
  const engine = await LocalEngine.create(setup, (action) => guarded(lock, action));
  const look = lazyEye(setup, engine);
  const methodOf = (method: Method): ((...given: readonly never[]) => Promise<unknown>) =>
    method === 'look' ? look : engine[method].bind(engine);
  port.on('message', ({ id, method, parameters }: Call) => {
    methodOf(method)(...(parameters as never[])).then(
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
