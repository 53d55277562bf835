import type { CharacterSet } from './character-set.js';

/** Where a pattern may hold without taking a character. */
export type Anchor =
  | 'text start'
  | 'text end'
  | 'last line end'
  | 'line start'
  | 'line end'
  | 'word boundary'
  | 'no word boundary';

/** A pattern taken apart. */
export type PatternNode =
  | { readonly kind: 'set'; readonly set: CharacterSet }
  | { readonly kind: 'sequence'; readonly items: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly options: readonly PatternNode[] }
  | {
      readonly kind: 'repeat';
      readonly item: PatternNode;
      readonly least: number;
      /** Infinity for no limit. */
      readonly most: number;
      readonly mode: 'greedy' | 'lazy' | 'possessive';
    }
  | { readonly kind: 'anchor'; readonly anchor: Anchor }
  | { readonly kind: 'look'; readonly ahead: boolean; readonly negative: boolean; readonly item: PatternNode }
  | { readonly kind: 'atomic'; readonly item: PatternNode };

export const emptyNode: PatternNode = { kind: 'sequence', items: [] };

/**
 * The number of characters that a pattern takes, where that is always the same.
 *
 * @returns undefined where it is not
 */
export function fixedLength(node: PatternNode): number | undefined {
  switch (node.kind) {
    case 'set':
      return 1;
    case 'anchor':
    case 'look':
      return 0;
    case 'atomic':
      return fixedLength(node.item);
    case 'repeat': {
      const length = fixedLength(node.item);
      return length !== undefined && node.least === node.most ? length * node.least : undefined;
    }
    case 'sequence': {
      let sum = 0;
      for (const item of node.items) {
        const length = fixedLength(item);
        if (length === undefined) return undefined;
        sum += length;
      }
      return sum;
    }
    case 'choice': {
      const lengths = new Set(node.options.map(fixedLength));
      return lengths.size === 1 ? [...lengths][0] : undefined;
    }
  }
}
