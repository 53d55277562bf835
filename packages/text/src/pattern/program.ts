import { ConfigError, UnsupportedError } from '@weft/errors';
import { membership, plainSet, wordSource, type CharacterSet } from './character-set.js';
import { fixedLength, type Anchor, type PatternNode } from './syntax.js';

/** One step of a program. `next` and the like are numbers of steps. */
export type Step =
  | { readonly kind: 'set'; readonly has: (code: number) => boolean; next: number }
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
  | {
      readonly kind: 'behind';
      readonly negative: boolean;
      /** Programs with the number of characters that each takes. */
      bodies: { readonly length: number; readonly body: number }[];
      next: number;
    }
  | { readonly kind: 'atomic'; body: number; next: number }
  | { readonly kind: 'accept' };

/** A pattern as steps of a machine that tries alternatives in order. */
export interface Program {
  readonly steps: readonly Step[];
  readonly start: number;
  /** Some loop may go round without taking a character. */
  readonly hasEmptyLoops: boolean;
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

  /** Adds the steps of a node, which go on at `next`; built from the end, so that every target exists. */
  node(node: PatternNode, next: number): number {
    switch (node.kind) {
      case 'set':
        return this.#add({ kind: 'set', has: this.membership(node.set), next });
      case 'sequence':
        return node.items.reduceRight((after, item) => this.node(item, after), next);
      case 'choice':
        return node.options
          .map((option) => this.node(option, next))
          .reduceRight((second, first) => this.#add({ kind: 'either', first, second }));
      case 'repeat':
        return node.mode === 'possessive'
          ? this.#atomic({ ...node, mode: 'greedy' }, next)
          : this.#repeat(node, next);
      case 'anchor':
        return this.#add({ kind: 'anchor', anchor: node.anchor, next });
      case 'atomic':
        return this.#atomic(node.item, next);
      case 'look':
        return node.ahead
          ? this.#add({ kind: 'look', negative: node.negative, body: this.#body(node.item), next })
          : this.#behind(node.item, node.negative, next);
    }
  }

  #body(node: PatternNode): number {
    return this.node(node, this.#add({ kind: 'accept' }));
  }

  #atomic(item: PatternNode, next: number): number {
    return this.#add({ kind: 'atomic', body: this.#body(item), next });
  }

  #behind(item: PatternNode, negative: boolean, next: number): number {
    const bodies = (item.kind === 'choice' ? item.options : [item]).map((option) => {
      const length = fixedLength(option);
      if (length === undefined)
        throw new UnsupportedError({
          message: `The pattern looks behind for text of no fixed length: ${JSON.stringify(this.pattern.slice(0, 120))}`,
          where: 'tokenizer.json',
        });
      return { length, body: this.#body(option) };
    });
    return this.#add({ kind: 'behind', negative, bodies, next });
  }

  #repeat({ item, least, most, mode }: PatternNode & { kind: 'repeat' }, next: number): number {
    const choose = (again: number, over: number): Step & { kind: 'either' } =>
      mode === 'lazy'
        ? { kind: 'either', first: over, second: again }
        : { kind: 'either', first: again, second: over };
    let after = next;
    if (most === Infinity) {
      const loop = this.#add({ kind: 'either', first: next, second: next });
      this.steps[loop] = { ...choose(this.node(item, loop), next), over: next };
      after = loop;
      this.hasEmptyLoops ||= canBeEmpty(item);
    } else {
      for (let count = least; count < most; count++) after = this.#add(choose(this.node(item, after), next));
    }
    for (let count = 0; count < least; count++) after = this.node(item, after);
    return after;
  }
}

/**
 * Turns a pattern into a program.
 *
 * @throws {ConfigError} if it would take more than 20,000 steps
 * @throws {UnsupportedError} for text of no fixed length in a look behind
 */
export function compileProgram(node: PatternNode, pattern: string): Program {
  const compiler = new Compiler(pattern);
  const start = compiler.node(node, compiler.steps.push({ kind: 'accept' }) - 1);
  return {
    steps: compiler.steps,
    start,
    hasEmptyLoops: compiler.hasEmptyLoops,
    isWord: compiler.membership(plainSet(wordSource)),
  };
}
