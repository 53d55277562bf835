import { abortable } from './abortable.js';
import type { Engine, SequenceId, StepRow } from './engine.js';
import type { Eye, Look, SeenPicture } from './preparer.js';

/** Tokens that a sequence is to read. */
export interface Reading {
  readonly id: SequenceId;
  /** Tokens that it holds. */
  readonly held: number;
  readonly length: number;
  /** The row of `count` of the tokens, from one on; logits are wanted of the last of all. */
  readonly row: (from: number, count: number) => StepRow;
}

interface Job<T> {
  readonly signal: AbortSignal | undefined;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

interface ReadingJob extends Job<Float32Array> {
  readonly reading: Reading;
  /** Tokens read so far. */
  done: number;
}

interface LookJob extends Job<SeenPicture> {
  readonly look: Look;
}

/** Most tokens of a row in one step: an abort, and whoever is answering meanwhile, waits for no more than this. */
const chunkTokens = 256;
/** Tokens and padding of a step in which prompts are read while nobody answers. */
const promptTokens = 1024;
/** Most answers in one step. */
const mostRows = 64;
/** Pictures in one run of the encoder while nobody answers. */
const mostPictures = 16;

/** Continuations of promises between a result and the next question, and a few more. */
const mostHops = 24;

type Kind = 'see' | 'read' | 'answer';

/**
 * Lets requests that run at the same time share the steps of one engine. Each asks for what it needs next; what waits
 * when the engine is free goes into one step: all answers together, several short prompts together, several pictures
 * together. Between two steps that read or see something new comes one in which all answers go on.
 *
 * What fails for several is tried for each alone, so that only those fail that are to blame.
 */
export class Scheduler {
  readonly #engine: Pick<Engine, 'step' | 'truncate' | 'forget'>;
  readonly #eye: Eye;
  readonly #looks = new Set<LookJob>();
  readonly #readings = new Set<ReadingJob>();
  #last: Kind = 'answer';
  /** Readings when all who got a result in the last step have asked again. */
  #expected = Infinity;
  #running = false;

  constructor(engine: Pick<Engine, 'step' | 'truncate' | 'forget'>, eye: Eye) {
    this.#engine = engine;
    this.#eye = eye;
  }

  /** Prepares and encodes a picture. It belongs to the caller, who makes the engine forget it. */
  see(look: Look): Promise<SeenPicture> {
    return this.#ask(undefined, (job) => this.#looks.add({ ...job, look }));
  }

  /**
   * Appends tokens to a sequence, in chunks.
   *
   * @returns logits `[V]` of the last token
   * @throws the signal's reason if it is aborted; the step under way goes on
   */
  read(reading: Reading, signal?: AbortSignal): Promise<Float32Array> {
    return abortable(
      this.#ask(signal, (job) => this.#readings.add({ ...job, reading, done: 0 })),
      signal,
    );
  }

  #ask<T>(signal: AbortSignal | undefined, add: (job: Job<T>) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      add({ signal, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Requests that begin together share the first step.
    this.#expected = Infinity;
    for (;;) {
      await this.#everybody();
      for (const job of [...this.#readings]) this.#isAborted(job);
      const answers = [...this.#readings].filter(({ reading, done }) => reading.length - done === 1);
      const prompts = [...this.#readings].filter(({ reading, done }) => reading.length - done > 1);
      if (this.#looks.size + this.#readings.size === 0) break;
      const isNew = this.#looks.size + prompts.length > 0;
      this.#last =
        !isNew || (answers.length > 0 && this.#last !== 'answer')
          ? 'answer'
          : this.#looks.size > 0
            ? 'see'
            : 'read';
      this.#expected = Infinity;
      if (this.#last === 'answer') await this.#step(answers.slice(0, mostRows));
      else if (this.#last === 'read') await this.#step(together(prompts, answers.length === 0));
      else await this.#see([...this.#looks].slice(0, answers.length === 0 ? mostPictures : 1));
    }
    this.#running = false;
  }

  /** Waits until those who got a result in the last step have asked for the next, or did not. */
  async #everybody(): Promise<void> {
    for (let hop = 0; hop < mostHops; hop++) {
      if (this.#readings.size >= this.#expected) return;
      await undefined;
    }
    await nextTurn();
  }

  /** Whether nobody waits for it any more; it is forgotten then. */
  #isAborted(job: ReadingJob): boolean {
    if (!job.signal?.aborted) return false;
    this.#readings.delete(job);
    job.reject(job.signal.reason);
    return true;
  }

  async #see(jobs: readonly LookJob[]): Promise<void> {
    for (const job of jobs) this.#looks.delete(job);
    await eachIfNotAll(
      jobs,
      async (some) => {
        const seen = await this.#eye(some.map(({ look }) => look));
        for (const [i, job] of some.entries()) job.resolve(seen[i]!);
      },
      ({ reject }, error) => reject(error),
    );
  }

  async #step(jobs: readonly ReadingJob[]): Promise<void> {
    await eachIfNotAll(
      jobs,
      async (waiting) => {
        const some = waiting.filter((job) => !this.#isAborted(job));
        if (some.length === 0) return;
        const counts = some.map(countOf);
        const logits = await this.#engine.step(
          some.map(({ reading, done }, i) => reading.row(done, counts[i]!)),
        );
        this.#expected = this.#readings.size;
        for (const [i, job] of some.entries()) {
          // First in, first out: who still waits for a turn comes before those who had one.
          this.#readings.delete(job);
          job.done += counts[i]!;
          if (job.done < job.reading.length) this.#readings.add(job);
          else job.resolve(logits[i]!);
        }
      },
      (job, error) => {
        this.#readings.delete(job);
        job.reject(error);
      },
      // Some of the rows may have been appended.
      async ({ reading, done }) => this.#engine.truncate(reading.id, reading.held + done),
    );
  }
}

const countOf = ({ reading, done }: ReadingJob): number => Math.min(chunkTokens, reading.length - done);

/** Prompts that are read in one step: the first, and those beside which there is room. */
function together(prompts: readonly ReadingJob[], isAlone: boolean): ReadingJob[] {
  const room = isAlone ? promptTokens : chunkTokens;
  const chosen: ReadingJob[] = [];
  let longest = 0;
  for (const job of prompts) {
    const next = Math.max(longest, countOf(job));
    if (chosen.length > 0 && (chosen.length + 1) * next > room) continue;
    chosen.push(job);
    longest = next;
  }
  return chosen;
}

/** Does something for all, or if that fails for each alone. */
async function eachIfNotAll<T>(
  all: readonly T[],
  action: (some: readonly T[]) => Promise<void>,
  fail: (one: T, error: unknown) => void,
  restore: (one: T) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  try {
    await action(all);
    return;
  } catch (error) {
    if (all.length === 1) {
      fail(all[0]!, error);
      return;
    }
  }
  for (const one of all)
    try {
      await restore(one);
      await action([one]);
    } catch (error) {
      fail(one, error);
    }
}

/** The next turn of the event loop: all continuations of promises that are settled have run by then. */
const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    // Browsers have none.
    if (typeof setImmediate === 'undefined') setTimeout(resolve, 0);
    else setImmediate(resolve);
  });
