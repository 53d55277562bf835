import type { Model } from '@weft/spec';
import type { Engine, EngineSetup } from './engine.js';
import { LocalEngine } from './local-engine.js';
import { eyeOf, preparerOf, type Eye } from './preparer.js';
import { startWorkerEngine } from './worker-engine.js';

/** The engine of a model, and the eye that prepares its pictures: both in the worker where the model can be made there. */
export async function startEngine(
  setup: EngineSetup,
  model: Model,
  worker: boolean,
): Promise<{ readonly engine: Engine; readonly eye: Eye }> {
  if (!worker) {
    const engine = await LocalEngine.create(setup);
    return { engine, eye: eyeOf(preparerOf(model), engine) };
  }
  const { engine, eye } = await startWorkerEngine(setup);
  return { engine, eye: eye ?? eyeOf(preparerOf(model), engine) };
}
