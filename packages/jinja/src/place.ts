import { children, everyNode, type Expression, type Node, type Statement } from './nodes.js';
import { Frame, type Context, type Evaluate, type Execute } from './runtime.js';
import { Symbols, type Ref } from './symbols.js';
import { Undefined, type Str, type Value } from './values.js';

/** What is known of the frame in which a node stands before anything runs. */
export interface Place {
  readonly symbols: Symbols;
  /** Outside of loops, macros and blocks: what is set here is exported. */
  readonly isTop: boolean;
  /** In an `if`: a filter that does not exist is an error only where it is reached. */
  readonly isSoft: boolean;
  /** Within a constant expression, which Jinja computes by gentler rules: what cannot be sliced is undefined. */
  readonly isConstant: boolean;
  /** Whether `break` and `continue` find a loop. */
  readonly inLoop: boolean;
  /** Whether printed text is escaped; undefined where it turns out only while the template runs. */
  readonly autoescape: boolean | undefined;
  /** The named blocks of the template. */
  readonly blocks: ReadonlyMap<string, RenderBlock>;
}

/** Renders a named block. */
export type RenderBlock = (context: Context, out: Str[]) => void;

/** A frame within another. */
export const innerPlace = (place: Place): Place => ({
  ...place,
  symbols: new Symbols(place.symbols),
  isTop: false,
  isSoft: false,
});

export const softPlace = (place: Place): Place => ({ ...place, isSoft: true });

/** The step from a frame to the one that holds a variable. */
export const hopsTo = (symbols: Symbols, ref: Ref): number => symbols.level - ref.level;

/** Sets the variables of a frame to what they are when it is entered. */
export function entering(symbols: Symbols): (frame: Frame) => void {
  const actions = Array.from(symbols.loads, ([slot, load]): ((frame: Frame) => void) | undefined => {
    switch (load.kind) {
      case 'param':
        return undefined;
      case 'undefined':
        return (frame) => {
          frame.slots[slot] = undefined;
        };
      case 'resolve':
        return (frame) => {
          frame.slots[slot] = frame.context.lookUp(load.name);
        };
      case 'alias': {
        const hops = hopsTo(symbols, load.ref);
        return (frame) => {
          frame.slots[slot] = frame.outer(hops).slots[load.ref.slot];
        };
      }
    }
  }).filter((action) => action !== undefined);
  return (frame) => {
    for (const action of actions) action(frame);
  };
}

/** Makes frames of a kind. */
export function frameMaker(symbols: Symbols): (outer: Frame) => Frame {
  const enter = entering(symbols);
  return (outer) => {
    const frame = new Frame(outer.context, outer, symbols.size);
    enter(frame);
    return frame;
  };
}

/** The variable of a name, undefined where it is not set. */
export function loadOf(place: Place, name: string): Evaluate {
  const ref = place.symbols.find(name);
  const missing = (): Value => new Undefined(() => `'${name}' is undefined`);
  if (!ref) return missing;
  const hops = hopsTo(place.symbols, ref);
  const { slot } = ref;
  if (hops === 0)
    return (frame) => {
      const value = frame.slots[slot];
      return value === undefined ? missing() : value;
    };
  return (frame) => {
    const value = frame.outer(hops).slots[slot];
    return value === undefined ? missing() : value;
  };
}

/** Whether some code mentions a variable before it sets one of that name; named blocks are not looked into. */
export function mentions(nodes: readonly Node[], names: readonly string[]): ReadonlySet<string> {
  const left = new Set(names);
  const found = new Set<string>();
  const visit = (node: Node): void => {
    if (node.kind === 'block') return;
    if (node.kind === 'name') {
      if (node.use === 'load' && left.has(node.name)) found.add(node.name);
      else if (node.use !== 'load') left.delete(node.name);
      return;
    }
    for (const child of children(node)) visit(child);
  };
  for (const node of nodes) visit(node);
  return found;
}

/** The work of an expression, as the number of nodes in it. */
export function weightOf(node: Expression | undefined): number {
  if (!node) return 0;
  let count = 0;
  for (const _ of everyNode(node)) count++;
  return count;
}

/** Statements one after another. */
export type CompileBody = (body: readonly Statement[], place: Place) => Execute;
