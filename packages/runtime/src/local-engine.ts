import { SessionError, UnsupportedError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { modelOf } from '@weft/models';
import type { Model } from '@weft/spec';
import type { InferenceSession, Tensor, TensorConstructor } from 'onnxruntime-common';
import type { EncodedImage, Engine, EngineSetup, TextStep } from './engine.js';
import { KvCache } from './kv-cache.js';
import { isVideo, type Visual } from './visuals.js';

interface Runtime {
  readonly InferenceSession: typeof InferenceSession;
  readonly Tensor: TensorConstructor;
}

/** ONNX Runtime for Node, which is an optional peer. @throws UnsupportedError if it is not installed */
async function loadRuntime(): Promise<Runtime> {
  try {
    const imported = (await import('onnxruntime-node')) as Runtime & { readonly default?: Runtime };
    return imported.default ?? imported;
  } catch (cause) {
    throw new UnsupportedError({
      message: 'ONNX Runtime cannot be loaded.',
      where: 'onnxruntime-node',
      hint: 'Install it beside @weft/runtime: npm install onnxruntime-node. It needs a 64-bit system with glibc 2.28 or later, Windows or macOS on ARM.',
      cause,
    });
  }
}

type Feeds = Record<string, Tensor>;
/** Surrounds each call of ONNX Runtime. */
type Guard = <T>(action: () => Promise<T>) => Promise<T>;

/** Sessions and caches in the thread that calls. Every run blocks it; see `startWorkerEngine`. */
export class LocalEngine implements Engine {
  readonly #runtime: Runtime;
  readonly #setup: EngineSetup;
  readonly #text: InferenceSession;
  readonly #vision: InferenceSession | null;
  readonly #model: Pick<Model, 'vision' | 'positions'>;
  readonly #caches = new Map<number, KvCache>();
  #opened = 0;
  #queue: Promise<unknown> = Promise.resolve();

  readonly #guard: Guard;

  private constructor(
    runtime: Runtime,
    setup: EngineSetup,
    sessions: { readonly text: InferenceSession; readonly vision: InferenceSession | null },
    guard: Guard,
  ) {
    this.#runtime = runtime;
    this.#setup = setup;
    this.#text = sessions.text;
    this.#vision = sessions.vision;
    this.#guard = guard;
    this.#model = modelOf(setup.config, setup.files);
  }

  /** @throws SessionError if ONNX Runtime refuses a graph */
  static async create(setup: EngineSetup, guard: Guard = (action) => action()): Promise<LocalEngine> {
    const runtime = await loadRuntime();
    const options: InferenceSession.SessionOptions = {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      extra: { 'session.model_external_initializers_file_folder_path': setup.weightFolder },
      ...(setup.threads === undefined ? {} : { intraOpNumThreads: setup.threads }),
    };
    const start = (bytes: Uint8Array, name: string) =>
      wrapped(`session '${name}'`, () => guard(() => runtime.InferenceSession.create(bytes, options)));
    const text = await start(setup.text.bytes, 'text');
    const vision = setup.vision && (await start(setup.vision.bytes, 'vision'));
    return new LocalEngine(runtime, setup, { text, vision }, guard);
  }

  encode(visual: Visual): Promise<EncodedImage> {
    return this.#inTurn(async () => {
      const started = performance.now();
      const inputs = this.#prepare(visual);
      const preprocess = performance.now() - started;
      const embeds = await this.#encode(inputs);
      return { embeds, preprocess, encode: performance.now() - started - preprocess };
    });
  }

  /** What the encoder's graph takes for a picture or a video. */
  #prepare(visual: Visual): Readonly<Record<string, TensorData>> {
    const { vision } = this.#model;
    if (!vision) throw new UnsupportedError({ message: 'The model takes no images.' });
    if (isVideo(visual) && !vision.video)
      throw new UnsupportedError({ message: 'The model takes no videos.' });
    const { inputs } = isVideo(visual)
      ? vision.video!.processor.process([visual])
      : vision.processor.process([visual]);
    return vision.encoder.prepare ? vision.encoder.prepare(inputs)[0]!.inputs : inputs;
  }

  encodeTensors(inputs: Readonly<Record<string, TensorData>>): Promise<Float32Array> {
    return this.#inTurn(() => this.#encode(inputs));
  }

  async #encode(inputs: Readonly<Record<string, TensorData>>): Promise<Float32Array> {
    const feeds: Feeds = {};
    for (const [name, { dtype, shape, data }] of Object.entries(inputs))
      feeds[name] = new this.#runtime.Tensor(dtype as 'float32', data as Float32Array, shape);
    const vision = this.#vision;
    if (!vision) throw new UnsupportedError({ message: 'The model takes no images.' });
    const { image_embeds } = await wrapped("session 'vision'", () => this.#guard(() => vision.run(feeds)));
    return image_embeds!.data as Float32Array;
  }

  open(batch: number): Promise<number> {
    return this.#inTurn(() => {
      this.#caches.set(++this.#opened, new KvCache(this.#setup.text.cache, batch));
      return this.#opened;
    });
  }

  run(id: number, step: TextStep): Promise<Float32Array> {
    return this.#inTurn(async () => {
      const cache = this.#cache(id);
      const { length } = step;
      const { Tensor } = this.#runtime;
      const grid = [cache.batch, length];
      const { positions } = this.#model;
      const { data, shape } = cache.mask(step.mask, length);
      const feeds: Feeds = {
        input_ids: new Tensor('int64', step.inputIds, grid),
        position_ids: new Tensor('int64', step.positionIds, positions ? [positions.axes, ...grid] : grid),
        logit_positions: new Tensor('int64', step.logitPositions, [step.logitPositions.length]),
        attention_mask: new Tensor('int64', data, shape),
      };
      if (this.#setup.vision) {
        const images = step.imagePositions.length;
        feeds['image_positions'] = new Tensor('int64', step.imagePositions, [images]);
        feeds['image_embeds'] = new Tensor('float32', step.imageEmbeds, [
          images,
          this.#setup.vision.hiddenSize,
        ]);
      }
      for (const [name, past, pastShape] of cache.past())
        feeds[name] = new Tensor('float32', past, pastShape);
      const results = await wrapped("session 'text'", () => this.#guard(() => this.#text.run(feeds)));
      cache.append((name) => results[name]!.data as Float32Array, length);
      return results['logits']!.data as Float32Array;
    });
  }

  select(id: number, rows: readonly number[]): Promise<void> {
    return this.#inTurn(() => this.#cache(id).select(rows));
  }

  truncate(id: number, length: number): Promise<void> {
    return this.#inTurn(() => this.#cache(id).truncate(length));
  }

  release(id: number): Promise<void> {
    return this.#inTurn(() => void this.#caches.delete(id));
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      this.#caches.clear();
      await this.#text.release();
      await this.#vision?.release();
    });
  }

  #cache(id: number): KvCache {
    const cache = this.#caches.get(id);
    if (!cache)
      throw new SessionError({
        message: `There is no cache ${id}; it was released.`,
        where: "session 'text'",
      });
    return cache;
  }

  #inTurn<T>(task: () => T | Promise<T>): Promise<T> {
    const result = this.#queue.then(task);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

async function wrapped<T>(where: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SessionError({ message: `ONNX Runtime failed: ${text}`, where, cause });
  }
}
