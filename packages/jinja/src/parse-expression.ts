import { int } from './numbers.js';
import type { Arguments, Binary, Call, Expression, Filter, Keyword, Operand, Pair, Slice } from './nodes.js';
import type { TokenStream } from './token-stream.js';

const constant = (value: string | number | bigint | boolean | null, float = false): Expression => ({
  kind: 'const',
  value,
  float,
});

const noArguments: Arguments = {
  kind: 'arguments',
  positional: [],
  keywords: [],
  more: undefined,
  moreKeywords: undefined,
};

/** An expression; `a if b else c` among them unless it is left to the caller. */
export const parseExpression = (stream: TokenStream, withConditional = true): Expression =>
  stream.nested(() => (withConditional ? parseConditional(stream) : parseOr(stream)));

function parseConditional(stream: TokenStream): Expression {
  let { line } = stream.current;
  let chosen = parseOr(stream);
  while (stream.skipName('if')) {
    const test = parseOr(stream);
    const otherwise = stream.skipName('else') ? stream.nested(() => parseConditional(stream)) : undefined;
    chosen = { kind: 'conditional', test, chosen, otherwise, line };
    line = stream.current.line;
  }
  return chosen;
}

function parseOr(stream: TokenStream): Expression {
  let left = parseAnd(stream);
  while (stream.skipName('or')) left = { kind: 'binary', operator: 'or', left, right: parseAnd(stream) };
  return left;
}

function parseAnd(stream: TokenStream): Expression {
  let left = parseNot(stream);
  while (stream.skipName('and')) left = { kind: 'binary', operator: 'and', left, right: parseNot(stream) };
  return left;
}

function parseNot(stream: TokenStream): Expression {
  if (!stream.skipName('not')) return parseComparison(stream);
  return { kind: 'unary', operator: 'not', value: stream.nested(() => parseNot(stream)) };
}

const comparisons = ['==', '!=', '<', '<=', '>', '>='] as const;

function comparisonAt(stream: TokenStream): Operand['operator'] | undefined {
  const found = comparisons.find((operator) => stream.isOperator(operator));
  if (found) {
    stream.next();
    return found;
  }
  if (stream.skipName('in')) return 'in';
  const { following } = stream;
  if (!stream.isName('not') || following.kind !== 'name' || following.text !== 'in') return undefined;
  stream.next();
  stream.next();
  return 'not in';
}

function parseComparison(stream: TokenStream): Expression {
  const first = parseSum(stream);
  const rest: Operand[] = [];
  for (let operator = comparisonAt(stream); operator; operator = comparisonAt(stream))
    rest.push({ kind: 'operand', operator, value: parseSum(stream) });
  return rest.length === 0 ? first : { kind: 'compare', first, rest };
}

/** Operators of one rank, from left to right. */
function parseRow(
  stream: TokenStream,
  operators: readonly Binary['operator'][],
  parseOperand: (stream: TokenStream) => Expression,
): Expression {
  let left = parseOperand(stream);
  for (;;) {
    const operator = operators.find((text) => stream.isOperator(text));
    if (operator === undefined) return left;
    stream.next();
    left = { kind: 'binary', operator, left, right: parseOperand(stream) };
  }
}

const parseSum = (stream: TokenStream): Expression => parseRow(stream, ['+', '-'], parseConcatenation);

function parseConcatenation(stream: TokenStream): Expression {
  const items = [parseProduct(stream)];
  while (stream.skipOperator('~')) items.push(parseProduct(stream));
  const [only] = items;
  return only && items.length === 1 ? only : { kind: 'concat', items };
}

const parseProduct = (stream: TokenStream): Expression => parseRow(stream, ['*', '/', '//', '%'], parsePower);

const parsePower = (stream: TokenStream): Expression =>
  parseRow(stream, ['**'], (inner) => parseUnary(inner));

function parseUnary(stream: TokenStream, withFilter = true): Expression {
  const sign = (['-', '+'] as const).find((operator) => stream.isOperator(operator));
  let node: Expression;
  if (sign) {
    stream.next();
    node = { kind: 'unary', operator: sign, value: stream.nested(() => parseUnary(stream, false)) };
  } else node = parsePrimary(stream);
  node = parsePostfix(stream, node);
  return withFilter ? parseFilters(stream, node) : node;
}

/** A name or literal; in targets of `set` also `namespace.name`. */
export function parsePrimary(stream: TokenStream, withNamespace = false): Expression {
  const { kind, text } = stream.current;
  if (kind === 'name') {
    stream.next();
    if (['true', 'True', 'false', 'False'].includes(text)) return constant(text.toLowerCase() === 'true');
    if (text === 'none' || text === 'None') return constant(null);
    if (withNamespace && stream.skipOperator('.'))
      return { kind: 'nsref', name: text, attribute: stream.expectName().text };
    return { kind: 'name', name: text, use: 'load' };
  }
  if (kind === 'string') {
    let value = '';
    while (stream.current.kind === 'string') value += stream.next().text;
    return constant(value);
  }
  if (kind === 'integer') {
    stream.next();
    return constant(int(BigInt(text.replace(/^0+(?=\d)/, ''))));
  }
  if (kind === 'float') {
    stream.next();
    return constant(Number(text), true);
  }
  if (stream.skipOperator('(')) {
    const node = parseTuple(stream, { inParentheses: true });
    stream.expectOperator(')');
    return node;
  }
  if (stream.skipOperator('[')) return { kind: 'list', items: parseItems(stream, ']', parseExpression) };
  if (stream.skipOperator('{')) return { kind: 'dict', items: parseItems(stream, '}', parsePair) };
  return stream.fail(`unexpected ${stream.describe()}`);
}

function parseItems<Item>(stream: TokenStream, end: string, parse: (stream: TokenStream) => Item): Item[] {
  const items: Item[] = [];
  while (!stream.isOperator(end)) {
    if (items.length > 0) stream.expectOperator(',');
    if (stream.isOperator(end)) break;
    items.push(parse(stream));
  }
  stream.expectOperator(end);
  return items;
}

function parsePair(stream: TokenStream): Pair {
  const key = parseExpression(stream);
  stream.expectOperator(':');
  return { kind: 'pair', key, value: parseExpression(stream) };
}

/** How a row of expressions may end and what it may hold. */
export interface TupleOptions {
  readonly inParentheses?: boolean;
  /** Names and literals only, as in the target of `for` and `set`. */
  readonly simple?: boolean;
  readonly withNamespace?: boolean;
  readonly withConditional?: boolean;
  /** A name that ends the row. */
  readonly endName?: string;
}

/** An expression, or several with commas between, which make a tuple. */
export function parseTuple(stream: TokenStream, options: TupleOptions = {}): Expression {
  const {
    inParentheses = false,
    simple = false,
    withNamespace = false,
    withConditional = true,
    endName,
  } = options;
  const items: Expression[] = [];
  let isTuple = false;
  for (;;) {
    if (items.length > 0) stream.expectOperator(',');
    if (['variable_end', 'block_end'].includes(stream.current.kind) || stream.isOperator(')')) break;
    if (endName !== undefined && stream.isName(endName)) break;
    items.push(simple ? parsePrimary(stream, withNamespace) : parseExpression(stream, withConditional));
    if (!stream.isOperator(',')) break;
    isTuple = true;
  }
  const [first] = items;
  if (!isTuple && first) return first;
  if (!isTuple && !inParentheses) stream.fail(`Expected an expression, got ${stream.describe()}`);
  return { kind: 'tuple', items };
}

function parsePostfix(stream: TokenStream, given: Expression): Expression {
  let node = given;
  for (;;) {
    if (stream.skipOperator('.')) node = parseMember(stream, node);
    else if (stream.skipOperator('[')) node = parseSubscript(stream, node);
    else if (stream.isOperator('(')) node = parseCall(stream, node);
    else return node;
  }
}

function parseMember(stream: TokenStream, target: Expression): Expression {
  const token = stream.next();
  if (token.kind === 'name') return { kind: 'attribute', target, name: token.text };
  if (token.kind !== 'integer') stream.fail('expected name or number', token.line);
  return { kind: 'item', target, key: constant(int(BigInt(token.text.replace(/^0+(?=\d)/, '')))) };
}

function parseSubscript(stream: TokenStream, target: Expression): Expression {
  const keys: (Expression | Slice)[] = [];
  while (!stream.isOperator(']')) {
    if (keys.length > 0) stream.expectOperator(',');
    keys.push(parseKey(stream));
  }
  stream.expectOperator(']');
  const [only] = keys;
  return { kind: 'item', target, key: only && keys.length === 1 ? only : { kind: 'tuple', items: keys } };
}

function parseKey(stream: TokenStream): Expression | Slice {
  let start: Expression | undefined;
  if (!stream.isOperator(':')) {
    start = parseExpression(stream);
    if (!stream.isOperator(':')) return start;
  }
  stream.expectOperator(':');
  const bound = (): Expression | undefined =>
    stream.isOperator(']', ',', ':') ? undefined : parseExpression(stream);
  const stop = bound();
  const step = stream.skipOperator(':') ? bound() : undefined;
  return { kind: 'slice', start, stop, step };
}

export function parseCall(stream: TokenStream, target: Expression): Call {
  return { kind: 'call', target, args: parseArguments(stream) };
}

function parseArguments(stream: TokenStream): Arguments {
  const { line } = stream.current;
  stream.expectOperator('(');
  const positional: Expression[] = [];
  const keywords: Keyword[] = [];
  let more: Expression | undefined;
  let moreKeywords: Expression | undefined;
  const ensure = (holds: boolean): void => {
    if (!holds) stream.fail('invalid syntax for function call expression', line);
  };
  let isFirst = true;
  while (!stream.isOperator(')')) {
    if (!isFirst) {
      stream.expectOperator(',');
      if (stream.isOperator(')')) break;
    }
    isFirst = false;
    if (stream.skipOperator('*')) {
      ensure(!more && !moreKeywords);
      more = parseExpression(stream);
    } else if (stream.skipOperator('**')) {
      ensure(!moreKeywords);
      moreKeywords = parseExpression(stream);
    } else if (
      stream.current.kind === 'name' &&
      stream.following.kind === 'operator' &&
      stream.following.text === '='
    ) {
      ensure(!moreKeywords);
      const name = stream.next().text;
      stream.next();
      if (keywords.some((keyword) => keyword.name === name))
        stream.fail(`keyword argument repeated: ${name}`);
      keywords.push({ kind: 'keyword', name, value: parseExpression(stream) });
    } else {
      ensure(!more && !moreKeywords && keywords.length === 0);
      positional.push(parseExpression(stream));
    }
  }
  stream.expectOperator(')');
  return { kind: 'arguments', positional, keywords, more, moreKeywords };
}

function parseFilters(stream: TokenStream, given: Expression): Expression {
  let node = given;
  for (;;) {
    if (stream.isOperator('|')) node = parseFilter(stream, node) ?? node;
    else if (stream.isName('is')) node = parseTest(stream, node);
    else if (stream.isOperator('(')) node = parseCall(stream, node);
    else return node;
  }
}

function dottedName(stream: TokenStream): string {
  let name = stream.expectName().text;
  while (stream.skipOperator('.')) name += `.${stream.expectName().text}`;
  return name;
}

/** Filters one after another; the first stands without its bar where a filter block begins. */
export function parseFilter(
  stream: TokenStream,
  given: Expression | undefined,
  startsInline = false,
): Filter | undefined {
  let target = given;
  let filter: Filter | undefined;
  for (let inline = startsInline; inline || stream.isOperator('|'); inline = false) {
    if (!inline) stream.next();
    const { line } = stream.current;
    const name = dottedName(stream);
    const args = stream.isOperator('(') ? parseArguments(stream) : noArguments;
    filter = { kind: 'filter', target, name, args, line };
    target = filter;
  }
  return filter;
}

function parseTest(stream: TokenStream, target: Expression): Expression {
  const { line } = stream.next();
  const isNegated = stream.skipName('not');
  const name = dottedName(stream);
  const { kind } = stream.current;
  let args = noArguments;
  if (stream.isOperator('(')) args = parseArguments(stream);
  else if (['name', 'string', 'integer', 'float'].includes(kind) || stream.isOperator('[', '{')) {
    if (stream.isName('is')) stream.fail('You cannot chain multiple tests with is');
    if (!stream.isName('else', 'or', 'and'))
      args = { ...noArguments, positional: [parsePostfix(stream, parsePrimary(stream))] };
  }
  const test: Filter = { kind: 'test', target, name, args, line };
  return isNegated ? { kind: 'unary', operator: 'not', value: test } : test;
}
