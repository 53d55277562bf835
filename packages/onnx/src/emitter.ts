import { UnsupportedError } from '@weft/errors';
import {
  constant,
  dimTerms,
  isOp,
  sameShape,
  type Dim,
  type DType,
  type Graph,
  type Node,
  type OnnxAttribute,
  type Shape,
  type TensorData,
  type Value,
} from '@weft/graph';
import type { ExternalTensor, NodeProto } from './model-proto.js';
import type { Blocks } from './stored-weight.js';

/** What becomes of weights in blocks. */
export interface BlockHandling {
  /** Whether the rule of a node takes an input as it is stored. */
  readonly takes: (node: Node, value: Value, blocks: Blocks) => boolean;
  /** Emits nodes that compute the numbers, and returns their name. */
  readonly compute: (e: Emitter, path: string, blocks: Blocks, shape: readonly number[]) => string;
}

/** A weight in blocks, which nodes may never ask the numbers of. */
export interface StoredValue {
  readonly path: string;
  readonly blocks: Blocks;
}

/** Collects the nodes and constants of one ONNX graph and names everything. */
export class Emitter {
  readonly nodes: NodeProto[] = [];
  readonly constants = new Map<string, TensorData>();
  readonly weights = new Map<string, ExternalTensor>();
  readonly #names = new Map<Value, string>();
  readonly #taken = new Set<string>();
  readonly #shared = new Map<string, unknown>();
  readonly #stored = new Map<Value, StoredValue>();
  #path = '';

  constructor(
    readonly graph: Graph,
    readonly handling: BlockHandling,
  ) {
    for (const name of Object.keys(graph.outputs)) this.#taken.add(name);
  }

  /** Nodes emitted inside `body` are named after the path. */
  at<T>(path: string, body: () => T): T {
    this.#path = path;
    return body();
  }

  /** ONNX name of a value whose node has been emitted. The numbers of a weight in blocks are computed on demand. */
  nameOf(value: Value): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const { path, blocks } = this.#stored.get(value)!;
    const outer = this.#path;
    const name = this.at(path, () =>
      this.handling.compute(this, path, blocks, value.shape as readonly number[]),
    );
    this.#path = outer;
    this.bind(value, name);
    return name;
  }

  /** Says that a value is a weight in blocks. */
  store(value: Value, path: string, blocks: Blocks): void {
    this.#stored.set(value, { path, blocks });
  }

  /** How a value is stored, if it is a weight in blocks. */
  stored(value: Value): StoredValue | undefined {
    return this.#stored.get(value);
  }

  /** The weight in blocks that an input of a node is, if the target's rule takes it so. */
  blocksFor(node: Node, value: Value): StoredValue | undefined {
    const stored = this.#stored.get(value);
    return stored && this.handling.takes(node, value, stored.blocks) ? stored : undefined;
  }

  /** Declares an initializer that lies in a file. */
  weight(wanted: string, tensor: ExternalTensor): string {
    const name = this.unique(wanted);
    this.weights.set(name, tensor);
    return name;
  }

  bind(value: Value, name: string): void {
    this.#names.set(value, name);
  }

  unique(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.#taken.has(name); i++) name = `${wanted}_${i}`;
    this.#taken.add(name);
    return name;
  }

  /** Adds a node and returns the names of its outputs. */
  nodeOf(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    { domain = '', outputs = 1 }: { domain?: string; outputs?: number } = {},
  ): string[] {
    const name = this.unique(this.#path ? `${this.#path}/${type}` : type);
    const results = Array.from({ length: outputs }, (_, i) =>
      this.unique(i === 0 ? `${name}:0` : `${name}:${i}`),
    );
    this.nodes.push({ type, domain, name, inputs, outputs: results, attributes });
    return results;
  }

  node(
    type: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, OnnxAttribute>>,
    domain?: string,
  ): string {
    return this.nodeOf(type, inputs, attributes, domain ? { domain } : {})[0]!;
  }

  /** A result, or several, that more nodes may use; `make` runs once per key. */
  shared<T extends string | readonly string[]>(key: string, make: () => T): T {
    const known = this.#shared.get(key);
    if (known !== undefined) return known as T;
    const made = make();
    this.#shared.set(key, made);
    return made;
  }

  constant(tensor: TensorData): string {
    const { dtype, shape, data } = tensor;
    const add = () => {
      const name = this.unique('constant');
      this.constants.set(name, tensor);
      return name;
    };
    return data.length <= 16 ? this.shared(`constant ${dtype} [${shape}] ${data.join()}`, add) : add();
  }

  ints(values: readonly number[]): string {
    return this.#constantOf(constant(values, 'int64'));
  }

  /** A scalar. */
  number(x: number, dtype: DType): string {
    return this.#constantOf(constant(x, dtype));
  }

  #constantOf({ node }: Value): string {
    return this.constant(isOp(node, 'Constant') ? node.attributes : (undefined as never));
  }

  /** A size as int64 `[1]`, computed from the shapes of graph inputs when it is symbolic. */
  dim(dim: Dim): string {
    if (typeof dim === 'number') return this.ints([dim]);
    return this.shared(`dim ${dim}`, () => {
      const terms = dimTerms(dim).map(([coefficient, names]) => {
        const factors = names.map((name) => this.#symbol(name, dim));
        if (coefficient !== 1 || factors.length === 0) factors.push(this.ints([coefficient]));
        return factors.reduce((a, b) => this.node('Mul', [a, b]));
      });
      return terms.reduce((a, b) => this.node('Add', [a, b]));
    });
  }

  #symbol(name: string, wanted: Dim): string {
    return this.shared(`symbol ${name}`, () => {
      for (const value of this.graph.inputs.values())
        for (const [axis, dim] of value.shape.entries()) {
          if (typeof dim === 'number') continue;
          const [term, ...others] = dimTerms(dim);
          if (!term || others.length > 0 || term[1].length !== 1 || term[1][0] !== name) continue;
          const size = this.node('Shape', [this.nameOf(value)], { start: axis, end: axis + 1 });
          return term[0] === 1 ? size : this.node('Div', [size, this.ints([term[0]])]);
        }
      throw new UnsupportedError({
        message: `The size '${wanted}' is needed at run time, but no graph input has an axis named '${name}'.`,
        where: this.#path,
      });
    });
  }

  /** A shape as an int64 vector for `Reshape`: copies and one open size where possible, else computed. */
  reshapeTarget(from: Shape, to: Shape): string {
    let open = 0;
    const target = to.map((dim, i) => (typeof dim === 'number' ? dim : dim === from[i] ? 0 : (open++, -1)));
    return open <= 1 ? this.ints(target) : this.shape(to);
  }

  /** A shape as an int64 vector. */
  shape(shape: Shape): string {
    if (shape.every((dim) => typeof dim === 'number')) return this.ints(shape as number[]);
    return this.shared(`shape ${shape.join()}`, () =>
      this.node(
        'Concat',
        shape.map((dim) => this.dim(dim)),
        { axis: 0 },
      ),
    );
  }

  reshape(name: string, from: Shape, to: Shape): string {
    if (sameShape(from, to)) return name;
    return this.shared(`reshape ${name} ${to.join()}`, () =>
      this.node('Reshape', [name, this.reshapeTarget(from, to)]),
    );
  }
}
