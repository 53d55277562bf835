import type { SlotSize, Span } from './kv-store.js';
import type { SharedTokens } from './sequence-table.js';

/** Tokens of a block: prefixes are shared in multiples of it. */
export const blockTokens = 16;

/** Keys and values of a block, and the blocks that follow it in one prompt or another. */
interface Block {
  readonly key: string;
  readonly parent: Block | undefined;
  readonly children: Map<string, Block>;
  /** Slots one after another, `[blockTokens, heads, size]` each. */
  readonly data: Float32Array;
  /** Sequences that begin with it and have not copied it yet. */
  users: number;
  lastUsed: number;
}

/**
 * Keys and values of the beginnings of prompts, in a tree of blocks: a block is found by its own key below the block
 * before it, so that equal keys mean equal beginnings, and prompts that begin alike hold what they share once. Over the
 * budget the block goes that was used least recently and that no other block follows; one in use stays.
 */
export class PrefixStore {
  readonly #slots: readonly SlotSize[];
  readonly #budget: number;
  readonly #roots = new Map<string, Block>();
  readonly #blocks = new Set<Block>();
  readonly #blockBytes: number;
  /** First value of each slot within a block's data. */
  readonly #offsets: readonly number[];
  #clock = 0;

  /** @param budget bytes */
  constructor(slots: readonly SlotSize[], budget: number) {
    this.#slots = slots;
    this.#budget = budget;
    let values = 0;
    this.#offsets = slots.map(
      ({ heads, size }) => (values += blockTokens * heads * size) - blockTokens * heads * size,
    );
    this.#blockBytes = 4 * values;
  }

  get bytes(): number {
    return this.#blocks.size * this.#blockBytes;
  }

  /** The longest held beginning of a prompt. @param keys of its blocks, see `blockKeys` */
  find(keys: readonly string[]): SharedTokens[] {
    const found = this.#path(keys);
    this.#touch(found);
    return found.map((block): SharedTokens => {
      block.users++;
      return { span: this.#spanOf(block), release: () => void block.users-- };
    });
  }

  /**
   * Holds the beginning of a prompt as far as the budget allows.
   *
   * @param read spans of a block's tokens, given its number
   */
  insert(keys: readonly string[], read: (block: number) => readonly Span[]): void {
    const path = this.#path(keys);
    this.#touch(path);
    for (let i = path.length; i < keys.length; i++) {
      if (!this.#makeRoom(path.at(-1))) return;
      const parent = path.at(-1);
      const block: Block = {
        key: keys[i]!,
        parent,
        children: new Map(),
        data: this.#copy(read(i)),
        users: 0,
        lastUsed: this.#clock,
      };
      (parent?.children ?? this.#roots).set(block.key, block);
      this.#blocks.add(block);
      path.push(block);
    }
  }

  clear(): void {
    this.#roots.clear();
    this.#blocks.clear();
  }

  #path(keys: readonly string[]): Block[] {
    const path: Block[] = [];
    for (const key of keys) {
      const block = (path.at(-1)?.children ?? this.#roots).get(key);
      if (!block) break;
      path.push(block);
    }
    return path;
  }

  #touch(path: readonly Block[]): void {
    this.#clock++;
    for (const block of path) block.lastUsed = this.#clock;
  }

  /** Lets blocks go until one more fits. @param last that must stay, as the next one follows it */
  #makeRoom(last: Block | undefined): boolean {
    while (this.bytes + this.#blockBytes > this.#budget) {
      let oldest: Block | undefined;
      for (const block of this.#blocks)
        if (
          block !== last &&
          block.users === 0 &&
          block.children.size === 0 &&
          (!oldest || block.lastUsed < oldest.lastUsed)
        )
          oldest = block;
      if (!oldest) return false;
      (oldest.parent?.children ?? this.#roots).delete(oldest.key);
      this.#blocks.delete(oldest);
    }
    return true;
  }

  #spanOf({ data }: Block): Span {
    return {
      slot: (index) => data.subarray(this.#offsets[index]!),
      batch: 1,
      column: 0,
      start: 0,
      length: blockTokens,
    };
  }

  #copy(spans: readonly Span[]): Float32Array {
    const result = new Float32Array(this.#blockBytes / 4);
    for (const [index, { heads, size }] of this.#slots.entries()) {
      const width = heads * size;
      let to = this.#offsets[index]!;
      for (const { slot, batch, column, start, length } of spans) {
        const data = slot(index);
        for (let time = start; time < start + length; time++, to += width) {
          const from = (time * batch + column) * width;
          result.set(data.subarray(from, from + width), to);
        }
      }
    }
    return result;
  }
}

/** What tells a prompt from another, token by token. */
export interface PromptKeys {
  readonly ids: readonly number[];
  /** What a token stands for or sees beside its id: a picture's name, for one. Parallel to `ids`. */
  readonly marks: readonly (string | undefined)[];
  /** Name of the frequencies by which keys were turned, see `FrequencyRule`; all are alike unless given. */
  readonly frequencies?: string | undefined;
}

/**
 * Keys of the whole blocks of a prompt. Blocks with equal keys, after equal blocks, hold equal keys and values.
 *
 * @param end tokens that may be shared
 */
export function blockKeys({ ids, marks, frequencies = '' }: PromptKeys, end: number): string[] {
  const keys: string[] = [];
  // A block is found below the one before it, so that the first one's key tells all of them from others.
  const kind = frequencies === '' ? '' : `${frequencies} `;
  for (let start = 0; start + blockTokens <= end; start += blockTokens) {
    const stop = start + blockTokens;
    let key = (start === 0 ? kind : '') + ids.slice(start, stop).join();
    let last: string | undefined;
    for (let at = start; at < stop; at++) {
      if (marks[at] === last) continue;
      last = marks[at];
      key += ` ${at - start}:${last ?? ''}`;
    }
    keys.push(key);
  }
  return keys;
}

/** Tokens at the start that two prompts share. */
export function sharedTokens(a: PromptKeys, b: PromptKeys): number {
  if ((a.frequencies ?? '') !== (b.frequencies ?? '')) return 0;
  const most = Math.min(a.ids.length, b.ids.length);
  let shared = 0;
  while (shared < most && a.ids[shared] === b.ids[shared] && a.marks[shared] === b.marks[shared]) shared++;
  return shared;
}
