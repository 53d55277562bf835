/** Bounds of one rendering. */
export interface RenderLimits {
  /** Steps of evaluation: about one for each node, item and 32 characters that are worked on. */
  readonly steps: number;
  /** UTF-16 units of any text that is made, the rendered one among them. */
  readonly characters: number;
  /** Wall time, in milliseconds. */
  readonly milliseconds: number;
  /** Macros, recursive loops and blocks within each other. */
  readonly depth: number;
}

/** A limit of the rendering was passed; `limit` says which. */
export class LimitError extends Error {
  readonly limit: keyof RenderLimits;

  constructor(limit: keyof RenderLimits, message: string) {
    super(message);
    this.limit = limit;
  }
}

const millisecondsNow = (): number => performance.now();
/** Steps between two looks at the clock. */
const stepsPerLook = 4096;

/** Counts the work of one rendering. */
export class Meter {
  readonly limits: RenderLimits;
  readonly #end: number;
  #steps = 0;
  #nextLook: number;
  #depth = 0;

  constructor(limits: RenderLimits) {
    this.limits = limits;
    this.#end = millisecondsNow() + limits.milliseconds;
    this.#nextLook = Math.min(stepsPerLook, limits.steps + 1);
  }

  get steps(): number {
    return this.#steps;
  }

  charge(steps: number): void {
    this.#steps += steps;
    if (this.#steps < this.#nextLook) return;
    if (this.#steps > this.limits.steps)
      throw new LimitError('steps', `it takes more than ${this.limits.steps} steps`);
    if (millisecondsNow() > this.#end)
      throw new LimitError('milliseconds', `it takes longer than ${this.limits.milliseconds} ms`);
    this.#nextLook = Math.min(this.#steps + stepsPerLook, this.limits.steps + 1);
  }

  admit(characters: number): void {
    if (characters > this.limits.characters)
      throw new LimitError('characters', `a text grows beyond ${this.limits.characters} characters`);
    this.charge(characters >> 5);
  }

  enter(): void {
    if (++this.#depth > this.limits.depth)
      throw new LimitError(
        'depth',
        `macros or loops call themselves more than ${this.limits.depth} times deep`,
      );
  }

  leave(): void {
    this.#depth--;
  }
}

const idle = new Meter({ steps: Infinity, characters: Infinity, milliseconds: Infinity, depth: Infinity });
// Rendering never waits, so one meter is enough: that of the rendering that runs.
let current = idle;

/** Runs an action whose work counts on the meter. */
export function measured<Result>(meter: Meter, action: () => Result): Result {
  const outer = current;
  current = meter;
  try {
    return action();
  } finally {
    current = outer;
  }
}

/** Counts steps of the rendering that runs. */
export const charge = (steps: number): void => current.charge(steps);

/** Asks for the room for a text, before it is made. */
export const admit = (characters: number): void => current.admit(characters);

/** Runs an action one level deeper. */
export function nested<Result>(action: () => Result): Result {
  const meter = current;
  meter.enter();
  try {
    return action();
  } finally {
    meter.leave();
  }
}
