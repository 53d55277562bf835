import { SessionError, UnsupportedError } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import { modelOf } from '@weft/models';
import { senseOf, type CrossShare, type Model, type ProcessedImages } from '@weft/spec';
import type { InferenceSession, Tensor, TensorConstructor } from 'onnxruntime-common';
import { sightRuns } from './encoder-inputs.js';
import type { EncodedImage, Engine, EngineSetup, TextStep } from './engine.js';
import { HeldKeys } from './held-keys.js';
import { KvCache } from './kv-cache.js';
import { joined } from './sequence.js';
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
type SessionName = 'text' | 'cross' | 'vision';
type StartSession = (name: SessionName) => Promise<InferenceSession>;
/** Surrounds each call of ONNX Runtime. */
type Guard = <T>(action: () => Promise<T>) => Promise<T>;

/** Sessions and caches in the thread that calls. Every run blocks it; see `startWorkerEngine`. */
export class LocalEngine implements Engine {
  readonly #runtime: Runtime;
  readonly #setup: EngineSetup;
  readonly #sessions: Map<SessionName, InferenceSession>;
  readonly #start: StartSession;
  readonly #model: Model;
  readonly #caches = new Map<number, KvCache>();
  readonly #held: HeldKeys | null;
  #opened = 0;
  #queue: Promise<unknown> = Promise.resolve();

  readonly #guard: Guard;

  private constructor(
    runtime: Runtime,
    setup: EngineSetup,
    {
      sessions,
      start,
    }: { readonly sessions: Map<SessionName, InferenceSession>; readonly start: StartSession },
    guard: Guard,
  ) {
    this.#runtime = runtime;
    this.#setup = setup;
    this.#sessions = sessions;
    this.#start = start;
    this.#held = setup.cross && new HeldKeys(setup.cross);
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
    const start: StartSession = (name) =>
      wrapped(`session '${name}'`, () =>
        guard(() => runtime.InferenceSession.create(setup[name]!.bytes, options)),
      );
    const sessions = new Map<SessionName, InferenceSession>();
    // A model with cross-attention layers gets its session without them when the first prompt without images comes.
    for (const name of [setup.cross ? 'cross' : 'text', ...(setup.vision ? ['vision'] : [])] as SessionName[])
      sessions.set(name, await start(name));
    return new LocalEngine(runtime, setup, { sessions, start }, guard);
  }

  async #session(name: SessionName): Promise<InferenceSession> {
    const session = this.#sessions.get(name) ?? (await this.#start(name));
    this.#sessions.set(name, session);
    return session;
  }

  encode(visual: Visual, total: number): Promise<EncodedImage> {
    return this.#inTurn(async () => {
      const started = performance.now();
      const { runs, share } = this.#prepare(visual, total);
      const preprocess = performance.now() - started;
      const seen = [];
      for (const inputs of runs) seen.push(await this.#encode(inputs, share));
      const all = joined(seen.map((run) => run.embeds));
      const keys = seen[0]?.keys;
      const size =
        (senseOf(this.#model, 'image')?.cross?.tokensPerTile ?? 0) * this.#setup.vision!.hiddenSize;
      const embeds = share?.placed.length
        ? joined(share.placed.map((tile) => all.subarray(tile * size, (tile + 1) * size)))
        : all;
      return { embeds, keys, preprocess, encode: performance.now() - started - preprocess };
    });
  }

  /** What the encoder's graph takes for a picture or a video, and what cross-attention layers see of it. */
  #prepare(
    visual: Visual,
    total: number,
  ): {
    readonly runs: readonly Readonly<Record<string, TensorData>>[];
    readonly share: CrossShare | undefined;
  } {
    const { inputs, images } = this.#process(visual, total);
    return { runs: sightRuns(this.#model, inputs).map((run) => run.inputs), share: images[0]?.cross };
  }

  #process(visual: Visual, total: number): ProcessedImages {
    if (isVideo(visual)) {
      const video = senseOf(this.#model, 'video');
      if (!video) throw new UnsupportedError({ message: 'The model takes no videos.' });
      return video.processor.process([visual]);
    }
    const image = senseOf(this.#model, 'image');
    if (!image) throw new UnsupportedError({ message: 'The model takes no images.' });
    return image.processor.process([visual], total);
  }

  encodeTensors(
    inputs: Readonly<Record<string, TensorData>>,
    share?: CrossShare,
  ): Promise<Pick<EncodedImage, 'embeds' | 'keys'>> {
    return this.#inTurn(() => this.#encode(inputs, share));
  }

  forget(keys: readonly number[]): Promise<void> {
    return this.#inTurn(() => this.#held?.forget(keys));
  }

  async #encode(
    inputs: Readonly<Record<string, TensorData>>,
    share: CrossShare | undefined,
  ): Promise<Pick<EncodedImage, 'embeds' | 'keys'>> {
    const { vision, cross } = this.#setup;
    if (!vision) throw new UnsupportedError({ message: 'The model takes no images.' });
    const feeds: Feeds = cross ? this.#shareFeeds(share) : {};
    for (const [name, { dtype, shape, data }] of Object.entries(inputs))
      feeds[name] = new this.#runtime.Tensor(dtype as 'float32', data as Float32Array, shape);
    const session = await this.#session('vision');
    const results = await wrapped("session 'vision'", () => this.#guard(() => session.run(feeds)));
    const embeds = results['image_embeds']!.data as Float32Array;
    const tiles = share?.tiles.length ?? 0;
    if (!cross || tiles === 0) return { embeds };
    const id = this.#held!.add(
      tiles,
      cross.slots.map(({ name }) => results[name]!.data as Float32Array),
    );
    return { embeds, keys: { id, tiles } };
  }

  /** Which tiles give keys; the graph wants one at least. */
  #shareFeeds(share: CrossShare | undefined): Feeds {
    const { Tensor } = this.#runtime;
    const tiles = share?.tiles.length ? share.tiles : [0];
    const { tagTokens } = senseOf(this.#model, 'image')!.cross!;
    const tags = tiles.flatMap((_, i) => share?.tags?.[i] ?? Array.from({ length: tagTokens }, () => 0));
    return {
      vision_tiles: new Tensor('int64', BigInt64Array.from(tiles, BigInt), [1, tiles.length]),
      ...(tagTokens > 0
        ? { tile_tags: new Tensor('int64', BigInt64Array.from(tags, BigInt), [1, tiles.length, tagTokens]) }
        : {}),
    };
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
      const name = step.seenKeys.length > 0 ? 'cross' : 'text';
      if (name === 'cross') {
        const tiles = step.seenMask.length / step.inputIds.length;
        feeds['cross_attention_mask'] = new Tensor('int64', step.seenMask, [...grid, tiles]);
        for (const held of this.#held!.arrange(step.seenKeys))
          feeds[held.name] = new Tensor('float32', held.data, held.shape);
      }
      if (this.#setup.vision?.isPlaced) {
        const images = step.imagePositions.length;
        feeds['image_positions'] = new Tensor('int64', step.imagePositions, [images]);
        feeds['image_embeds'] = new Tensor('float32', step.imageEmbeds, [
          images,
          this.#setup.vision.hiddenSize,
        ]);
      }
      for (const [input, past, pastShape] of cache.past())
        feeds[input] = new Tensor('float32', past, pastShape);
      const session = await this.#session(name);
      const results = await wrapped(`session '${name}'`, () => this.#guard(() => session.run(feeds)));
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
      for (const session of this.#sessions.values()) await session.release();
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
