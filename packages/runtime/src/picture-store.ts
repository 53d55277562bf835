import { abortable } from './abortable.js';
import type { Engine } from './engine.js';
import type { Look, SeenPicture } from './preparer.js';
import type { Scheduler } from './scheduler.js';

interface Entry {
  readonly picture: Promise<SeenPicture>;
  /** Once it is encoded. */
  seen: SeenPicture | undefined;
  users: number;
  lastUsed: number;
}

/**
 * Pictures that the engine holds, by what was made of which pixels: one that several requests ask for is encoded once.
 * Over the budget the one goes that was used least recently; one in use stays.
 */
export class PictureStore {
  readonly #engine: Pick<Engine, 'forget'>;
  readonly #scheduler: Pick<Scheduler, 'see'>;
  readonly #budget: number;
  readonly #entries = new Map<string, Entry>();
  #clock = 0;

  /** @param budget bytes */
  constructor(engine: Pick<Engine, 'forget'>, scheduler: Pick<Scheduler, 'see'>, budget: number) {
    this.#engine = engine;
    this.#scheduler = scheduler;
    this.#budget = budget;
  }

  /** Pictures of one request or one conversation. */
  lease(): PictureLease {
    return new PictureLease(this);
  }

  /** @returns the picture, and whether it was encoded for this call */
  async take(
    key: string,
    look: Look,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly picture: SeenPicture; readonly isNew: boolean }> {
    const known = this.#entries.get(key);
    const entry = known ?? this.#begin(key, look);
    entry.users++;
    entry.lastUsed = ++this.#clock;
    try {
      return { picture: await abortable(entry.picture, signal), isNew: !known };
    } catch (error) {
      this.#giveBack(entry);
      throw error;
    }
  }

  giveBack(key: string): void {
    const entry = this.#entries.get(key);
    if (entry) this.#giveBack(entry);
  }

  #giveBack(entry: Entry): void {
    entry.users--;
    this.#tidy();
  }

  #begin(key: string, look: Look): Entry {
    const picture = this.#scheduler.see(look);
    const entry: Entry = { picture, seen: undefined, users: 0, lastUsed: 0 };
    this.#entries.set(key, entry);
    picture.then(
      (seen) => {
        entry.seen = seen;
        this.#tidy();
      },
      () => this.#entries.delete(key),
    );
    return entry;
  }

  #tidy(): void {
    let bytes = 0;
    for (const { seen } of this.#entries.values()) bytes += seen?.bytes ?? 0;
    const unused = [...this.#entries]
      .filter(([, { seen, users }]) => seen !== undefined && users === 0)
      .sort(([, a], [, b]) => a.lastUsed - b.lastUsed);
    for (const [key, { seen }] of unused) {
      if (bytes <= this.#budget) return;
      bytes -= seen!.bytes;
      this.#entries.delete(key);
      // After `close` there is nothing left to forget.
      this.#engine.forget([seen!.id]).catch(() => undefined);
    }
  }
}

/** Pictures that one request or one conversation uses: they stay as long. */
export class PictureLease {
  readonly #store: PictureStore;
  readonly #taken = new Map<string, SeenPicture>();

  constructor(store: PictureStore) {
    this.#store = store;
  }

  /** A picture that was taken. */
  get(key: string): SeenPicture | undefined {
    return this.#taken.get(key);
  }

  /**
   * Takes a picture.
   *
   * @returns the picture, and whether it was encoded for this call
   * @throws the signal's reason if it is aborted
   */
  async take(
    key: string,
    look: Look,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly picture: SeenPicture; readonly isNew: boolean }> {
    const held = this.#taken.get(key);
    if (held) return { picture: held, isNew: false };
    const taken = await this.#store.take(key, look, signal);
    // Taken twice at once, it is given back once.
    if (this.#taken.has(key)) this.#store.giveBack(key);
    this.#taken.set(key, taken.picture);
    return taken;
  }

  /** Gives back all others. */
  keep(keys: readonly string[]): void {
    for (const key of [...this.#taken.keys()])
      if (!keys.includes(key)) {
        this.#taken.delete(key);
        this.#store.giveBack(key);
      }
  }

  release(): void {
    this.keep([]);
  }
}
