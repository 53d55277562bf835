import { loadRuntime } from '#backend';
import { SessionError, UnsupportedError } from '@weft/errors';
import { joinArrays, layOutRows, type TokenRow } from '@weft/feeds';
import type { TensorData } from '@weft/graph';
import type { CrossShare } from '@weft/spec';
import type { InferenceSession, Tensor } from 'onnxruntime-common';
import type { OnnxRuntime } from './backend/onnx-runtime.js';
import type { Engine, EngineSetup, HeldPicture, OpenedSequence, Sight, StepRow } from './engine.js';
import { HeldKeys } from './held-keys.js';
import { openSession, wrapped } from './onnx-runtime.js';
import { blockTokens, PrefixStore } from './prefix-store.js';
import { attentionMask } from './attention-mask.js';
import { SequenceTable, type Arrangement, type SequenceId } from './sequence-table.js';
import { groupRows } from './step-groups.js';
import { joinSights, splitEmbeds } from './tiled-sights.js';

type Feeds = Record<string, Tensor>;
type SessionName = 'text' | 'cross' | 'vision';
type Inputs = Readonly<Record<string, TensorData>>;
/** Surrounds each call of ONNX Runtime. */
export type Guard = <T>(action: () => Promise<T>) => Promise<T>;

/** What the engine holds of a picture. */
interface Picture {
  readonly embeds: Float32Array | undefined;
  /** Number of its keys for cross-attention layers. */
  readonly keys: number | undefined;
}

/** Sessions and sequences in the thread that calls. Every run blocks it; see `startWorkerEngine`. */
export class LocalEngine implements Engine {
  readonly #runtime: OnnxRuntime;
  readonly #setup: EngineSetup;
  readonly #guard: Guard;
  readonly #sessions = new Map<SessionName, InferenceSession>();
  readonly #table: SequenceTable;
  readonly #prefixes: PrefixStore;
  readonly #held: HeldKeys | null;
  #closing: Promise<void> | undefined;
  readonly #pictures = new Map<number, Picture>();
  #seen = 0;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(runtime: OnnxRuntime, setup: EngineSetup, guard: Guard) {
    this.#runtime = runtime;
    this.#setup = setup;
    this.#guard = guard;
    this.#table = new SequenceTable(setup.text.cache);
    this.#prefixes = new PrefixStore(setup.text.cache, setup.prefixCacheBytes);
    this.#held = setup.cross && new HeldKeys(setup.cross);
  }

  /** @throws SessionError if ONNX Runtime refuses a graph */
  static async create(setup: EngineSetup, guard: Guard = (action) => action()): Promise<LocalEngine> {
    const engine = new LocalEngine(await loadRuntime(setup.threads), setup, guard);
    // A model with cross-attention layers gets its session without them when the first prompt without images comes.
    await engine.#session(setup.cross ? 'cross' : 'text');
    if (setup.vision) await engine.#session('vision');
    return engine;
  }

  async #session(name: SessionName): Promise<InferenceSession> {
    const known = this.#sessions.get(name);
    if (known) return known;
    const { weightFolder, threads } = this.#setup;
    const graph = this.#setup[name]!;
    const session = await this.#guard(() =>
      openSession(name, graph.bytes, { weightFolder, pieces: graph.pieces, threads }),
    );
    this.#sessions.set(name, session);
    return session;
  }

  async #run(name: SessionName, feeds: Feeds): Promise<(output: string) => Float32Array> {
    const session = await this.#session(name);
    const results = await wrapped(`session '${name}'`, () => this.#guard(() => session.run(feeds)));
    return (output) => results[output]!.data as Float32Array;
  }

  #tensor({ dtype, shape, data }: TensorData): Tensor {
    return new this.#runtime.Tensor(dtype as 'float32', data as Float32Array, shape);
  }

  see(sights: readonly Sight[], keep = false): Promise<readonly HeldPicture[]> {
    return this.#inTurn(async () => {
      const { vision } = this.#setup;
      if (!vision) throw new UnsupportedError({ message: 'The model takes no images.' });
      const joined = vision.isTiled && sights.length > 1 ? joinSights(sights) : undefined;
      const encoded: { embeds: Float32Array; keys?: readonly Float32Array[] | undefined }[] = [];
      if (joined) {
        const { embeds } = await this.#encode(joined.inputs, undefined);
        for (const part of splitEmbeds(embeds, joined.tiles)) encoded.push({ embeds: part });
      } else
        for (const { runs, share } of sights) {
          const parts = [];
          for (const inputs of runs) parts.push(await this.#encode(inputs, share));
          encoded.push({ embeds: joinArrays(parts.map(({ embeds }) => embeds)), keys: parts[0]?.keys });
        }
      return encoded.map(({ embeds, keys }, i) =>
        this.#hold(embeds, keep || vision.isPlaced, keys, sights[i]!.share),
      );
    });
  }

  #hold(
    embeds: Float32Array,
    isKept: boolean,
    keys: readonly Float32Array[] | undefined,
    share: CrossShare | undefined,
  ): HeldPicture {
    const tiles = keys ? share!.tiles.length : 0;
    this.#pictures.set(++this.#seen, {
      embeds: isKept ? embeds : undefined,
      keys: keys && this.#held!.add(tiles, keys),
    });
    const values = (keys ?? []).reduce((sum, { length }) => sum + length, isKept ? embeds.length : 0);
    return {
      id: this.#seen,
      tokens: embeds.length / this.#setup.text.hiddenSize,
      tiles,
      bytes: 4 * values,
    };
  }

  async #encode(
    inputs: Inputs,
    share: CrossShare | undefined,
  ): Promise<{ readonly embeds: Float32Array; readonly keys?: readonly Float32Array[] | undefined }> {
    const { cross } = this.#setup;
    const feeds: Feeds = cross ? this.#shareFeeds(share) : {};
    for (const [name, tensor] of Object.entries(inputs)) feeds[name] = this.#tensor(tensor);
    const output = await this.#run('vision', feeds);
    const hasKeys = cross && share && share.tiles.length > 0;
    return {
      embeds: output('image_embeds'),
      keys: hasKeys ? cross.slots.map(({ name }) => output(name)) : undefined,
    };
  }

  /** Which tiles give keys; the graph wants one at least. */
  #shareFeeds(share: CrossShare | undefined): Feeds {
    const { Tensor } = this.#runtime;
    const tiles = share?.tiles.length ? share.tiles : [0];
    const { tagTokens } = this.#setup.cross!;
    const tags = tiles.flatMap((_, i) => share?.tags?.[i] ?? Array.from({ length: tagTokens }, () => 0));
    return {
      vision_tiles: new Tensor('int64', BigInt64Array.from(tiles, BigInt), [1, tiles.length]),
      ...(tagTokens > 0
        ? { tile_tags: new Tensor('int64', BigInt64Array.from(tags, BigInt), [1, tiles.length, tagTokens]) }
        : {}),
    };
  }

  embeds(picture: number): Promise<Float32Array> {
    return this.#inTurn(() => this.#embedsOf(picture).slice());
  }

  #embedsOf(picture: number): Float32Array {
    const embeds = this.#pictures.get(picture)?.embeds;
    if (!embeds)
      throw new SessionError({
        message: `There are no embeddings of a picture ${picture}; they were forgotten.`,
        where: "session 'vision'",
      });
    return embeds;
  }

  forget(pictures: readonly number[]): Promise<void> {
    return this.#inTurn(() => {
      const keys = pictures.flatMap((id) => this.#pictures.get(id)?.keys ?? []);
      if (keys.length > 0) this.#held?.forget(keys);
      for (const id of pictures) this.#pictures.delete(id);
    });
  }

  open(blocks: readonly string[] = []): Promise<OpenedSequence> {
    return this.#inTurn(() => {
      const shared = this.#prefixes.find(blocks);
      return { id: this.#table.open(shared), held: shared.length * blockTokens };
    });
  }

  hold(id: SequenceId, blocks: readonly string[]): Promise<void> {
    return this.#inTurn(() =>
      this.#prefixes.insert(blocks, (block) => this.#table.spans(id, block * blockTokens, blockTokens)),
    );
  }

  fork(id: SequenceId): Promise<SequenceId> {
    return this.#inTurn(() => this.#table.fork(id));
  }

  truncate(id: SequenceId, length: number): Promise<void> {
    return this.#inTurn(() => this.#table.truncate(id, length));
  }

  release(id: SequenceId): Promise<void> {
    return this.#inTurn(() => this.#table.release(id));
  }

  step(rows: readonly StepRow[]): Promise<readonly Float32Array[]> {
    return this.#inTurn(async () => {
      const results: Float32Array[] = [];
      const given = rows.map(({ id, ids, seen }) => ({
        past: this.#table.length(id),
        count: ids.length,
        isCrossed: seen !== undefined,
      }));
      for (const group of groupRows(given, this.#setup.text.hasWindow)) {
        const logits = await this.#stepTogether(group.map((row) => rows[row]!));
        for (const [i, row] of group.entries()) results[row] = logits[i]!;
      }
      return results;
    });
  }

  async #stepTogether(rows: readonly StepRow[]): Promise<Float32Array[]> {
    const { text, vision, cross } = this.#setup;
    const ids = rows.map(({ id }) => id);
    const arrangement = this.#table.arrange(
      ids,
      rows.reduce((most, row) => Math.max(most, row.ids.length), 0),
    );
    const columns = arrangement.rows.map((row) => rows[row]);
    const grid = layOutRows(
      columns.map((row) => row && this.#tokenRow(row)),
      text,
    );
    const feeds: Feeds = {
      input_ids: this.#tensor(grid.inputIds),
      position_ids: this.#tensor(grid.positionIds),
      logit_positions: this.#tensor(grid.logitPositions),
      attention_mask: this.#tensor(attentionMask(arrangement, grid)),
    };
    if (text.takesLengths) feeds['sequence_lengths'] = this.#tensor(grid.lengths);
    if (grid.seenMask) {
      feeds['cross_attention_mask'] = this.#tensor(grid.seenMask);
      const pictures = columns.map((row) =>
        (row?.seen?.pictures ?? []).flatMap((id) => this.#pictures.get(id)?.keys ?? []),
      );
      for (const { name, data, shape } of this.#held!.arrange(pictures))
        feeds[name] = this.#tensor({ dtype: 'float32', data, shape });
    }
    if (vision?.isPlaced) {
      feeds['image_positions'] = this.#tensor(grid.imagePositions);
      feeds['image_embeds'] = this.#tensor(grid.imageEmbeds);
    }
    const { store } = arrangement;
    for (const [slot, { past, heads, size }] of text.cache.entries())
      feeds[past] = this.#tensor({
        dtype: 'float32',
        data: store.past(slot),
        shape: [store.length, store.batch, heads, size],
      });
    const output = await this.#run(grid.seenMask && cross ? 'cross' : 'text', feeds);
    this.#table.append(
      ids,
      rows.map((row) => row.ids.length),
      (slot) => output(text.cache[slot]!.present),
    );
    return splitLogits(output('logits'), rows, arrangement);
  }

  #tokenRow({ pieces, ...row }: StepRow): TokenRow {
    const { hiddenSize } = this.#setup.text;
    return {
      ...row,
      embeds: pieces?.map(({ picture, from, count }) =>
        this.#embedsOf(picture).subarray(from * hiddenSize, (from + count) * hiddenSize),
      ),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#inTurn(async () => {
      this.#table.clear();
      this.#prefixes.clear();
      this.#pictures.clear();
      for (const session of this.#sessions.values()) await session.release();
      this.#sessions.clear();
    });
    return this.#closing;
  }

  /** @throws SessionError once the engine is being closed */
  #inTurn<T>(task: () => T | Promise<T>): Promise<T> {
    if (this.#closing)
      return Promise.reject(new SessionError({ message: 'The model was closed.', hint: 'Load it again.' }));
    const result = this.#queue.then(task);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

/** Logits of each row; the graph gives them column by column. */
function splitLogits(
  logits: Float32Array,
  rows: readonly StepRow[],
  arrangement: Arrangement,
): Float32Array[] {
  const wanted = rows.map(({ ids, logits: which = 'last' }) =>
    which === 'all' ? ids.length : which === 'last' ? 1 : 0,
  );
  const vocabSize =
    logits.length /
    Math.max(
      1,
      wanted.reduce((sum, count) => sum + count, 0),
    );
  const result: Float32Array[] = [];
  let at = 0;
  for (const row of arrangement.rows) {
    if (row < 0) continue;
    const end = at + wanted[row]! * vocabSize;
    result[row] = logits.subarray(at, end);
    at = end;
  }
  return result;
}
