/** The tree of a template. Fields that hold nodes stand in the order in which Jinja visits them. */

export interface Name {
  readonly kind: 'name';
  readonly name: string;
  readonly use: 'load' | 'store' | 'param';
}
export interface NamespaceTarget {
  readonly kind: 'nsref';
  readonly name: string;
  readonly attribute: string;
}
export interface Constant {
  readonly kind: 'const';
  readonly value: string | number | bigint | boolean | null;
  /** Whether the number is a float. */
  readonly float: boolean;
}
export interface TupleNode {
  readonly kind: 'tuple';
  readonly items: readonly Expression[];
}
export interface ListNode {
  readonly kind: 'list';
  readonly items: readonly Expression[];
}
export interface Pair {
  readonly kind: 'pair';
  readonly key: Expression;
  readonly value: Expression;
}
export interface DictNode {
  readonly kind: 'dict';
  readonly items: readonly Pair[];
}
export interface Conditional {
  readonly kind: 'conditional';
  readonly test: Expression;
  readonly chosen: Expression;
  readonly otherwise: Expression | undefined;
  readonly line: number;
}
export interface Arguments {
  readonly kind: 'arguments';
  readonly positional: readonly Expression[];
  readonly keywords: readonly Keyword[];
  readonly more: Expression | undefined;
  readonly moreKeywords: Expression | undefined;
}
export interface Keyword {
  readonly kind: 'keyword';
  readonly name: string;
  readonly value: Expression;
}
export interface Filter {
  readonly kind: 'filter' | 'test';
  /** Undefined in a filter block, whose contents are filtered. */
  readonly target: Expression | undefined;
  readonly name: string;
  readonly args: Arguments;
  readonly line: number;
}
export interface Call {
  readonly kind: 'call';
  readonly target: Expression;
  readonly args: Arguments;
}
export interface GetItem {
  readonly kind: 'item';
  readonly target: Expression;
  readonly key: Expression | Slice;
}
export interface GetAttribute {
  readonly kind: 'attribute';
  readonly target: Expression;
  readonly name: string;
}
export interface Slice {
  readonly kind: 'slice';
  readonly start: Expression | undefined;
  readonly stop: Expression | undefined;
  readonly step: Expression | undefined;
}
export interface Concatenation {
  readonly kind: 'concat';
  readonly items: readonly Expression[];
}
export interface Comparison {
  readonly kind: 'compare';
  readonly first: Expression;
  readonly rest: readonly Operand[];
}
export interface Operand {
  readonly kind: 'operand';
  readonly operator: '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in';
  readonly value: Expression;
}
export interface Binary {
  readonly kind: 'binary';
  readonly operator: '+' | '-' | '*' | '/' | '//' | '%' | '**' | 'and' | 'or';
  readonly left: Expression;
  readonly right: Expression;
}
export interface Unary {
  readonly kind: 'unary';
  readonly operator: '-' | '+' | 'not';
  readonly value: Expression;
}

export type Expression =
  | Name
  | NamespaceTarget
  | Constant
  | TupleNode
  | ListNode
  | DictNode
  | Conditional
  | Filter
  | Call
  | GetItem
  | GetAttribute
  | Slice
  | Concatenation
  | Comparison
  | Binary
  | Unary;

export interface Data {
  readonly kind: 'data';
  readonly text: string;
}
export interface Output {
  readonly kind: 'output';
  readonly parts: readonly (Data | Expression)[];
}
export interface For {
  readonly kind: 'for';
  readonly target: Expression;
  readonly iterable: Expression;
  readonly body: readonly Statement[];
  readonly otherwise: readonly Statement[];
  readonly test: Expression | undefined;
  readonly recursive: boolean;
  readonly line: number;
}
export interface If {
  readonly kind: 'if';
  readonly test: Expression;
  readonly body: readonly Statement[];
  readonly elif: readonly If[];
  readonly otherwise: readonly Statement[];
}
export interface Macro {
  readonly kind: 'macro';
  readonly name: string;
  readonly params: readonly Name[];
  readonly defaults: readonly Expression[];
  readonly body: readonly Statement[];
  readonly line: number;
}
export interface CallBlock {
  readonly kind: 'callblock';
  readonly call: Call;
  readonly params: readonly Name[];
  readonly defaults: readonly Expression[];
  readonly body: readonly Statement[];
  readonly line: number;
}
export interface FilterBlock {
  readonly kind: 'filterblock';
  readonly body: readonly Statement[];
  readonly filter: Filter;
}
export interface With {
  readonly kind: 'with';
  readonly targets: readonly Expression[];
  readonly values: readonly Expression[];
  readonly body: readonly Statement[];
}
export interface Block {
  readonly kind: 'block';
  readonly name: string;
  readonly body: readonly Statement[];
  readonly scoped: boolean;
  readonly required: boolean;
  readonly line: number;
}
export interface Assign {
  readonly kind: 'assign';
  readonly target: Expression;
  readonly value: Expression;
}
export interface AssignBlock {
  readonly kind: 'assignblock';
  readonly target: Expression;
  readonly filter: Filter | undefined;
  readonly body: readonly Statement[];
}
export interface Scope {
  readonly kind: 'scope';
  readonly autoescape: Expression;
  readonly body: readonly Statement[];
}
/** The `generation` block of transformers: its body as it is. */
export interface Generation {
  readonly kind: 'generation';
  readonly body: readonly Statement[];
}
export interface Jump {
  readonly kind: 'break' | 'continue';
  readonly line: number;
}
/** A statement that needs other templates, which a chat template has not. */
export interface Elsewhere {
  readonly kind: 'elsewhere';
  readonly statement: string;
  /** Names that it would define. */
  readonly names: readonly string[];
}

export type Statement =
  | Output
  | For
  | If
  | Macro
  | CallBlock
  | FilterBlock
  | With
  | Block
  | Assign
  | AssignBlock
  | Scope
  | Generation
  | Jump
  | Elsewhere;

export type Node = Statement | Expression | Data | Pair | Keyword | Operand | Arguments;

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'kind' in value;

/** The nodes directly below a node. */
export function children(node: Node): Node[] {
  const result: Node[] = [];
  for (const value of Object.values(node) as unknown[]) {
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) result.push(item);
    } else if (isNode(value)) result.push(value);
  }
  return result;
}

/** A node and all below it, without recursion, as trees may be deep. */
export function* everyNode(root: Node): Generator<Node, void, undefined> {
  const left: Node[] = [root];
  for (let node = left.pop(); node; node = left.pop()) {
    yield node;
    for (const child of children(node).reverse()) left.push(child);
  }
}
