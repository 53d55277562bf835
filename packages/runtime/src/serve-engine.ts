import { importPackage } from '#backend';
import { modelOf } from '@weft/models';
import type { WorkerPort } from './backend/worker-thread.js';
import type { Engine, EngineSetup } from './engine.js';
import { LocalEngine, type Guard } from './local-engine.js';
import { eyeOf, preparerOf, type Eye } from './preparer.js';
import { packError } from './remote-error.js';
import { buffersOf, type Answer, type Method } from './worker-protocol.js';

/** The eye of the model that the setup names, made when the first picture comes. */
function lazyEye({ preparer }: EngineSetup, engine: Engine): Eye {
  let eye: Promise<Eye> | undefined;
  const open = async (): Promise<Eye> => {
    const model = await modelOf(preparer!.config, { ...preparer!.files, importPackage });
    return eyeOf(preparerOf(model), engine);
  };
  return async (looks, keep) => (await (eye ??= open()))(looks, keep);
}

/** In a worker: makes an engine, says whether it started, and answers calls until one closes it. */
export async function serveEngine(setup: EngineSetup, port: WorkerPort, guard?: Guard): Promise<void> {
  const answer = (message: Answer, handOver: readonly unknown[] = []): void =>
    port.post(message, buffersOf(handOver));
  try {
    const engine = await LocalEngine.create(setup, guard);
    const look = lazyEye(setup, engine);
    const methodOf = (method: Method): ((...given: readonly never[]) => Promise<unknown>) =>
      method === 'look' ? look : engine[method].bind(engine);
    port.listen(({ id, method, parameters }) => {
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
}
