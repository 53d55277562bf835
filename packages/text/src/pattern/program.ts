import { ConfigError } from '@weft/errors';
import { membership, plainSet, wordSource, type CharacterSet } from './character-set.js';
import type { Anchor, PatternNode } from './syntax.js';

/** One step of a program. `next` and the like are numbers of steps. */
export type Step =
  | {
      readonly kind: 'set';
      readonly has: (code: number) => boolean;
      /** Takes the character before the place instead of the one behind it. */
      readonly back: boolean;
      next: number;
    }
  /** Goes on at `first`, and where that fails at `second`. */
  | {
      readonly kind: 'either';
      first: number;
      second: number;
      /** Of a loop: where it goes on when a round took no character. */
      readonly over?: number;
    }
  | { readonly kind: 'anchor'; readonly anchor: Anchor; next: number }
  | { readonly kind: 'look'; readonly negative: boolean; body: number; next: number }
  | { readonly kind: 'atomic'; body: number; next: number }
  | { readonly kind: 'accept' };

/** A pattern as steps of a machine that tries alternatives in order. */
export interface Program {
  readonly steps: readonly Step[];
  readonly start: number;
  /** Some loop may go round without taking a character. */
  readonly hasEmptyLoops: boolean;
  readonly looksBehind: boolean;
  readonly isWord: (code: number) => boolean;
}

const mostSteps = 20_000;

const canBeEmpty = (node: PatternNode): boolean => {
  switch (node.kind) {
    case 'set':
      return false;
    case 'anchor':
    case 'look':
      return true;
    case 'atomic':
      return canBeEmpty(node.item);
    case 'repeat':
      return node.least === 0 || canBeEmpty(node.item);
    case 'sequence':
      return node.items.every(canBeEmpty);
    case 'choice':
      return node.options.some(canBeEmpty);
  }
};

class Compiler {
  readonly steps: Step[] = [];
  hasEmptyLoops = false;
  looksBehind = false;
  readonly #sets = new Map<string, (code: number) => boolean>();

  constructor(readonly pattern: string) {}

  #add(step: Step): number {
    if (this.steps.length >= mostSteps)
      throw new ConfigError({
        message: `The pattern takes more than ${mostSteps} steps: ${JSON.stringify(this.pattern.slice(0, 120))}`,
        where: 'tokenizer.json',
        hint: 'Repeat less often with {n,m}.',
      });
    return this.steps.push(step) - 1;
  }

  membership(set: CharacterSet): (code: number) => boolean {
    const key = `${set.ignoreCase}${set.negative}${set.source}`;
    const known = this.#sets.get(key) ?? membership(set);
    this.#sets.set(key, known);
    return known;
  }

  /**
   * Adds the steps of a node, which go on at `next`; built from the end, so that every target exists.
   *
   * @param back whether the text is read backwards, as for what looks behind
   */
  node(node: PatternNode, next: number, back = false): number {
    switch (node.kind) {
      case 'set':
        return this.#add({ kind: 'set', has: this.membership(node.set), back, next });
      case 'sequence':
        return (back ? node.items : node.items.toReversed()).reduce(
          (after, item) => this.node(item, after, back),
          next,
        );
      case 'choice':
        return node.options
          .map((option) => this.node(option, next, back))
          .reduceRight((second, first) => this.#add({ kind: 'either', first, second }));
      case 'repeat':
        return node.mode === 'possessive'
          ? this.node({ kind: 'atomic', item: { ...node, mode: 'greedy' } }, next, back)
          : this.#repeat(node, next, back);
      case 'anchor':
        return this.#add({ kind: 'anchor', anchor: node.anchor, next });
      case 'atomic':
        // Behind a place it only counts whether there is a match, not which comes first.
        return back
          ? this.node(node.item, next, back)
          : this.#add({ kind: 'atomic', body: this.#body(node.item, false), next });
      case 'look': {
        this.looksBehind ||= !node.ahead;
        const body = this.#body(node.item, !node.ahead);
        return this.#add({ kind: 'look', negative: node.negative, body, next });
      }
    }
  }

  #body(node: PatternNode, back: boolean): number {
    return this.node(node, this.#add({ kind: 'accept' }), back);
  }

  #repeat(
    { item, least, most, mode }: PatternNode & { kind: 'repeat' },
    next: number,
    back: boolean,
  ): number {
    const choose = (again: number, over: number): Step & { kind: 'either' } =>
      mode === 'lazy'
        ? { kind: 'either', first: over, second: again }
        : { kind: 'either', first: again, second: over };
    let after = next;
    if (most === Infinity) {
      const loop = this.#add({ kind: 'either', first: next, second: next });
      this.steps[loop] = { ...choose(this.node(item, loop, back), next), over: next };
      after = loop;
      this.hasEmptyLoops ||= canBeEmpty(item);
    } else {
      for (let count = least; count < most; count++)
        after = this.#add(choose(this.node(item, after, back), next));
    }
    for (let count = 0; count < least; count++) after = this.node(item, after, back);
    return after;
  }
}

/**
 * Turns a pattern into a program.
 *
 * @throws {ConfigError} if it would take more than 20,000 steps
 */
export function compileProgram(node: PatternNode, pattern: string): Program {
  const compiler = new Compiler(pattern);
  const start = compiler.node(node, compiler.steps.push({ kind: 'accept' }) - 1);
  return {
    steps: compiler.steps,
    start,
    hasEmptyLoops: compiler.hasEmptyLoops,
    looksBehind: compiler.looksBehind,
    isWord: compiler.membership(plainSet(wordSource)),
  };
}
