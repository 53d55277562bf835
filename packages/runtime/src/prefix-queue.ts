import { abortable } from './abortable.js';

/**
 * Prompts that are being read: one that begins like another waits until that one is read and held, so that what they
 * share is read once.
 */
export class PrefixQueue {
  readonly #claims = new Set<PrefixClaim>();

  /**
   * Waits as long as another prompt is being read that will be held and shares more blocks with this one than are held
   * already; then it is this one's turn.
   *
   * @throws the signal's reason if it is aborted
   */
  async claim(blocks: readonly string[], signal?: AbortSignal): Promise<PrefixClaim> {
    for (let read = 0; ;) {
      let best: PrefixClaim | undefined;
      let most = read;
      for (const claim of this.#claims) {
        const shared = sharedBlocks(claim.blocks, blocks);
        if (shared > Math.max(most, claim.held ?? 0)) [best, most] = [claim, shared];
      }
      if (!best) return this.begin(blocks);
      if (best.held === undefined) await abortable(best.opened, signal);
      else {
        await abortable(best.done, signal);
        read = most;
      }
    }
  }

  /** Says that a prompt is being read, without waiting. */
  begin(blocks: readonly string[], held?: number): PrefixClaim {
    const claim = new PrefixClaim(blocks, () => this.#claims.delete(claim));
    if (held !== undefined) claim.open(held);
    this.#claims.add(claim);
    return claim;
  }
}

/** A prompt that is being read. */
export class PrefixClaim {
  readonly blocks: readonly string[];
  /** Settled once `held` is known, and once the prompt is read or given up. */
  readonly opened: Promise<void>;
  readonly done: Promise<void>;
  /** Blocks that were held before it was read. */
  held: number | undefined;
  #open!: () => void;
  #finish!: () => void;

  constructor(blocks: readonly string[], ended: () => void) {
    this.blocks = blocks;
    this.opened = new Promise((resolve) => (this.#open = resolve));
    this.done = new Promise((resolve) => {
      this.#finish = () => {
        ended();
        resolve();
      };
    });
  }

  open(held: number): void {
    this.held = held;
    this.#open();
  }

  /** Ends the claim; a second call does nothing. */
  finish(): void {
    this.#open();
    this.#finish();
  }
}

function sharedBlocks(a: readonly string[], b: readonly string[]): number {
  let shared = 0;
  while (shared < a.length && shared < b.length && a[shared] === b[shared]) shared++;
  return shared;
}
