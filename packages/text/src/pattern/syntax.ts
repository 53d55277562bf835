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
