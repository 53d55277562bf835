import type { EncodedImage, Engine, PictureHandle } from './engine.js';
import { abortable } from './sequence.js';
import type { Visual } from './visuals.js';

/** The keys that an engine holds of the pictures of one conversation. */
export class PictureKeys {
  readonly #engine: Engine;
  readonly #held = new Map<Visual, PictureHandle | undefined>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Whether the picture was encoded. It may have no keys: cross-attention sees nothing of some pictures. */
  has(picture: Visual): boolean {
    return this.#held.has(picture);
  }

  get(picture: Visual): PictureHandle | undefined {
    return this.#held.get(picture);
  }

  /**
   * Encodes a picture and holds its keys, if the model has any.
   *
   * @param total pictures of the conversation
   * @throws the signal's reason if it is aborted
   */
  async encode(picture: Visual, total: number, signal: AbortSignal | undefined): Promise<EncodedImage> {
    const pending = this.#engine.encode(picture, total);
    try {
      const encoded = await abortable(pending, signal);
      this.#forget([this.#held.get(picture)]);
      this.#held.set(picture, encoded.keys);
      return encoded;
    } catch (error) {
      // The engine goes on after an abort, and nobody else will ask for what it holds then.
      pending.then(({ keys }) => this.#forget([keys])).catch(() => undefined);
      throw error;
    }
  }

  /** Forgets the keys of all other pictures. */
  keep(pictures: readonly Visual[]): void {
    const others = [...this.#held.keys()].filter((picture) => !pictures.includes(picture));
    this.#forget(others.map((picture) => this.#held.get(picture)));
    for (const picture of others) this.#held.delete(picture);
  }

  release(): void {
    this.keep([]);
  }

  #forget(handles: readonly (PictureHandle | undefined)[]): void {
    const ids = handles.flatMap((handle) => (handle ? [handle.id] : []));
    // After `close` there is nothing left to forget.
    if (ids.length > 0) this.#engine.forget(ids).catch(() => undefined);
  }
}
