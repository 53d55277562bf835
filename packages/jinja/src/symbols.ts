import { children, type Expression, type Node, type Statement } from './nodes.js';

/** What a variable of a frame holds when the frame is entered. */
export type Load =
  | { readonly kind: 'param' }
  | { readonly kind: 'undefined' }
  /** The variable of that name in the context. */
  | { readonly kind: 'resolve'; readonly name: string }
  /** A variable of an outer frame. */
  | { readonly kind: 'alias'; readonly ref: Ref };

/** A place for a variable: the level of its frame, and the slot there. */
export interface Ref {
  readonly level: number;
  readonly slot: number;
}

/**
 * The names that a frame of a template stores and loads. It follows Jinja's `idtracking.py` step by step, since which
 * variable a name means is settled there before anything runs: a name that is first set further down is undefined
 * above, even in a loop and even if the caller gave a variable of this name.
 */
export class Symbols {
  readonly level: number;
  readonly parent: Symbols | undefined;
  readonly #slots: Map<string, number>;
  readonly #refs: Map<string, Ref>;
  /** By slot. */
  readonly loads: Map<number, Load>;
  readonly #stores: Set<string>;

  constructor(parent?: Symbols, copied?: Symbols) {
    this.parent = parent;
    this.level = copied ? copied.level : parent ? parent.level + 1 : 0;
    // Branches of an `if` are looked at in copies, which share the variables of their frame.
    this.#slots = copied ? copied.#slots : new Map();
    this.#refs = new Map(copied ? copied.#refs : []);
    this.loads = new Map(copied?.loads);
    this.#stores = new Set(copied ? copied.#stores : []);
  }

  get size(): number {
    return this.#slots.size;
  }

  #define(name: string, load: Load): Ref {
    const slot = this.#slots.get(name) ?? this.#slots.size;
    this.#slots.set(name, slot);
    const ref = { level: this.level, slot };
    this.#refs.set(name, ref);
    this.loads.set(slot, load);
    return ref;
  }

  find(name: string): Ref | undefined {
    return this.#refs.get(name) ?? this.parent?.find(name);
  }

  /** The load of a variable, in this frame or an outer one. */
  findLoad(ref: Ref): Load | undefined {
    return ref.level === this.level ? this.loads.get(ref.slot) : this.parent?.findLoad(ref);
  }

  store(name: string): void {
    this.#stores.add(name);
    if (this.#refs.has(name)) return;
    const outer = this.parent?.find(name);
    this.#define(name, outer ? { kind: 'alias', ref: outer } : { kind: 'undefined' });
  }

  declare(name: string): Ref {
    this.#stores.add(name);
    return this.#define(name, { kind: 'param' });
  }

  load(name: string): void {
    if (!this.find(name)) this.#define(name, { kind: 'resolve', name });
  }

  #branchesJoin(branches: readonly Symbols[]): void {
    const stores = new Set(branches.flatMap((branch) => [...branch.#stores]));
    for (const name of this.#stores) stores.delete(name);
    for (const branch of branches) {
      for (const [name, ref] of branch.#refs) this.#refs.set(name, ref);
      for (const [slot, load] of branch.loads) this.loads.set(slot, load);
      for (const name of branch.#stores) this.#stores.add(name);
    }
    for (const name of stores) {
      const ref = this.find(name);
      const outer = this.parent?.find(name);
      if (ref?.level === this.level)
        this.loads.set(ref.slot, outer ? { kind: 'alias', ref: outer } : { kind: 'resolve', name });
    }
  }

  /** Names that are set in this frame and those around it, the innermost first. */
  stored(): Map<string, Ref> {
    const names = new Map<string, Ref>(this.parent?.stored());
    for (const name of this.#stores) {
      const ref = this.find(name);
      if (ref) names.set(name, ref);
    }
    return names;
  }

  /** Looks at what stands in a frame of its own, and not at the frames within. */
  analyze(nodes: readonly (Node | undefined)[], targets: readonly Expression[] = []): void {
    for (const target of targets) this.#visit(target, true);
    for (const node of nodes) if (node) this.#visit(node, false);
  }

  #visit(node: Node, storesParams: boolean): void {
    switch (node.kind) {
      case 'name':
        if (storesParams || node.use === 'param') this.declare(node.name);
        else if (node.use === 'store') this.store(node.name);
        else this.load(node.name);
        return;
      case 'nsref':
        this.load(node.name);
        return;
      case 'if': {
        this.#visit(node.test, false);
        const branch = (nodes: readonly Statement[]): Symbols => {
          const symbols = new Symbols(this.parent, this);
          for (const inner of nodes) symbols.#visit(inner, false);
          return symbols;
        };
        this.#branchesJoin([branch(node.body), branch(node.elif), branch(node.otherwise)]);
        return;
      }
      case 'macro':
        this.store(node.name);
        return;
      case 'assign':
        this.#visit(node.value, false);
        this.#visit(node.target, false);
        return;
      case 'for':
        this.#visit(node.iterable, false);
        return;
      case 'callblock':
        this.#visit(node.call, false);
        return;
      case 'filterblock':
        this.#visit(node.filter, false);
        return;
      case 'with':
        for (const value of node.values) this.#visit(value, false);
        return;
      case 'assignblock':
        this.#visit(node.target, false);
        return;
      case 'elsewhere':
        for (const name of node.names) this.store(name);
        return;
      case 'scope':
      case 'block':
      case 'generation':
        return;
      default:
        for (const child of children(node)) this.#visit(child, storesParams);
    }
  }
}
