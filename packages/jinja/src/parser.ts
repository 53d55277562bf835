import {
  children,
  type Data,
  type Expression,
  type If,
  type Name,
  type Node,
  type Output,
  type Statement,
} from './nodes.js';
import { parseExpression, parseFilter, parseTuple } from './parse-expression.js';
import { SyntaxProblem } from './py-error.js';
import { TokenStream } from './token-stream.js';

/** Nodes below each other: chains of operators and attributes count here, which nest without parentheses. */
const deepestTree = 400;

/** @throws SyntaxProblem */
export function parseTemplate(template: string): readonly Statement[] {
  const stream = new TokenStream(template);
  const body = parseBody(stream, []);
  checkDepth(body);
  return body;
}

function checkDepth(body: readonly Statement[]): void {
  let level: Node[] = [...body];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > deepestTree)
      throw new SyntaxProblem(`an expression is more than ${deepestTree} operators deep`, 1);
    level = level.flatMap(children);
  }
}

/** Statements up to one of the given tags, which stays; to the end of the template without any. */
function parseBody(stream: TokenStream, ends: readonly string[]): Statement[] {
  const body: Statement[] = [];
  let parts: (Data | Expression)[] = [];
  const flush = (): void => {
    if (parts.length > 0) body.push({ kind: 'output', parts });
    parts = [];
  };
  for (;;) {
    const { kind, text } = stream.current;
    if (kind === 'eof') {
      if (ends.length > 0)
        stream.fail(
          `Unexpected end of template. Jinja was looking for the following tags: ${ends.join(' or ')}.`,
        );
      flush();
      return body;
    }
    stream.next();
    if (kind === 'data') parts.push({ kind: 'data', text });
    else if (kind === 'variable_begin') {
      parts.push(parseTuple(stream));
      stream.expectEnd('variable_end');
    } else {
      flush();
      if (stream.isName(...ends)) return body;
      body.push(stream.nested(() => parseStatement(stream)));
      stream.expectEnd('block_end');
    }
  }
}

/** The body of a tag, up to one of the given tags, which is taken. */
function parseBlock(stream: TokenStream, ...ends: readonly string[]): { body: Statement[]; end: string } {
  // A colon may stand at the end of a tag, as in Python.
  stream.skipOperator(':');
  stream.expectEnd('block_end');
  const body = parseBody(stream, ends);
  return { body, end: stream.next().text };
}

function parseStatement(stream: TokenStream): Statement {
  const { kind, text, line } = stream.current;
  if (kind !== 'name') stream.fail('tag name expected');
  switch (text) {
    case 'for':
      return parseFor(stream);
    case 'if':
      return parseIf(stream);
    case 'set':
      return parseSet(stream);
    case 'with':
      return parseWith(stream);
    case 'macro':
      return parseMacro(stream);
    case 'call':
      return parseCallBlock(stream);
    case 'filter':
      return parseFilterBlock(stream);
    case 'block':
      return parseNamedBlock(stream);
    case 'print':
      return parsePrint(stream);
    case 'autoescape': {
      stream.next();
      const autoescape = parseExpression(stream);
      return { kind: 'scope', autoescape, body: parseBlock(stream, 'endautoescape').body };
    }
    case 'generation':
      stream.next();
      return { kind: 'generation', body: parseBlock(stream, 'endgeneration').body };
    case 'break':
    case 'continue':
      stream.next();
      return { kind: text, line };
    case 'include':
    case 'extends':
    case 'import':
    case 'from':
      return parseElsewhere(stream, text);
    default:
      return stream.fail(`Encountered unknown tag '${text}'.`);
  }
}

const reserved = new Set(['true', 'false', 'none', 'True', 'False', 'None']);

/** A target: names become stores. */
function asTarget(stream: TokenStream, node: Expression, use: 'store' | 'param' = 'store'): Expression {
  if (node.kind === 'name') return { ...node, use };
  if (node.kind === 'nsref') return node;
  if (node.kind === 'tuple') return { ...node, items: node.items.map((item) => asTarget(stream, item, use)) };
  return stream.fail(`can't assign to '${node.kind}'`);
}

function nameTarget(stream: TokenStream, use: 'store' | 'param' = 'store'): Name {
  const { text } = stream.expectName();
  if (reserved.has(text)) stream.fail(`can't assign to '${text}'`);
  return { kind: 'name', name: text, use };
}

function parseFor(stream: TokenStream): Statement {
  const { line } = stream.expectName('for');
  const target = asTarget(stream, parseTuple(stream, { simple: true, endName: 'in' }));
  stream.expectName('in');
  const iterable = parseTuple(stream, { withConditional: false, endName: 'recursive' });
  const test = stream.skipName('if') ? parseExpression(stream) : undefined;
  const recursive = stream.skipName('recursive');
  const { body, end } = parseBlock(stream, 'endfor', 'else');
  const otherwise = end === 'else' ? parseBlock(stream, 'endfor').body : [];
  return { kind: 'for', target, iterable, body, otherwise, test, recursive, line };
}

function parseIf(stream: TokenStream): If {
  stream.expectName('if');
  const branch = (): { test: Expression; body: Statement[]; end: string } => {
    const test = parseTuple(stream, { withConditional: false });
    return { test, ...parseBlock(stream, 'elif', 'else', 'endif') };
  };
  const first = branch();
  const elif: If[] = [];
  let { end } = first;
  while (end === 'elif') {
    const next = branch();
    elif.push({ kind: 'if', test: next.test, body: next.body, elif: [], otherwise: [] });
    ({ end } = next);
  }
  const otherwise = end === 'else' ? parseBlock(stream, 'endif').body : [];
  return { kind: 'if', test: first.test, body: first.body, elif, otherwise };
}

function parseSet(stream: TokenStream): Statement {
  stream.next();
  const target = asTarget(stream, parseTuple(stream, { simple: true, withNamespace: true }));
  if (stream.skipOperator('=')) return { kind: 'assign', target, value: parseTuple(stream) };
  const filter = parseFilter(stream, undefined);
  return { kind: 'assignblock', target, filter, body: parseBlock(stream, 'endset').body };
}

function parseWith(stream: TokenStream): Statement {
  stream.next();
  const targets: Expression[] = [];
  const values: Expression[] = [];
  while (stream.current.kind !== 'block_end' && !stream.isOperator(':')) {
    if (targets.length > 0) stream.expectOperator(',');
    targets.push(asTarget(stream, parseTuple(stream, { simple: true }), 'param'));
    stream.expectOperator('=');
    values.push(parseExpression(stream));
  }
  return { kind: 'with', targets, values, body: parseBlock(stream, 'endwith').body };
}

function parseSignature(stream: TokenStream): { params: Name[]; defaults: Expression[] } {
  const params: Name[] = [];
  const defaults: Expression[] = [];
  stream.expectOperator('(');
  while (!stream.isOperator(')')) {
    if (params.length > 0) stream.expectOperator(',');
    const param = nameTarget(stream, 'param');
    if (params.some(({ name }) => name === param.name))
      stream.fail(`duplicate argument '${param.name}' in function definition`);
    if (stream.skipOperator('=')) defaults.push(parseExpression(stream));
    else if (defaults.length > 0) stream.fail('non-default argument follows default argument');
    params.push(param);
  }
  stream.expectOperator(')');
  return { params, defaults };
}

function parseMacro(stream: TokenStream): Statement {
  const { line } = stream.next();
  const { name } = nameTarget(stream);
  const { params, defaults } = parseSignature(stream);
  return { kind: 'macro', name, params, defaults, body: parseBlock(stream, 'endmacro').body, line };
}

function parseCallBlock(stream: TokenStream): Statement {
  const { line } = stream.next();
  const { params, defaults } = stream.isOperator('(') ? parseSignature(stream) : { params: [], defaults: [] };
  const call = parseExpression(stream);
  if (call.kind !== 'call') return stream.fail('expected call', line);
  return { kind: 'callblock', call, params, defaults, body: parseBlock(stream, 'endcall').body, line };
}

function parseFilterBlock(stream: TokenStream): Statement {
  stream.next();
  const filter = parseFilter(stream, undefined, true);
  if (!filter) return stream.fail('a filter is expected');
  return { kind: 'filterblock', body: parseBlock(stream, 'endfilter').body, filter };
}

function parseNamedBlock(stream: TokenStream): Statement {
  const { line } = stream.next();
  const { text: name } = stream.expectName();
  const scoped = stream.skipName('scoped');
  const required = stream.skipName('required');
  const { body } = parseBlock(stream, 'endblock');
  const isBlank = (statement: Statement): boolean =>
    statement.kind === 'output' &&
    statement.parts.every((part) => part.kind === 'data' && part.text.trim() === '');
  if (required && !body.every(isBlank))
    stream.fail('Required blocks can only contain comments or whitespace');
  stream.skipName(name);
  return { kind: 'block', name, body, scoped, required, line };
}

function parsePrint(stream: TokenStream): Output {
  stream.next();
  const parts: Expression[] = [];
  while (stream.current.kind !== 'block_end') {
    if (parts.length > 0) stream.expectOperator(',');
    parts.push(parseExpression(stream));
  }
  return { kind: 'output', parts };
}

/** `include`, `extends`, `import` and `from`: they read other templates, of which there are none. */
function parseElsewhere(stream: TokenStream, statement: string): Statement {
  stream.next();
  parseExpression(stream);
  const names: string[] = [];
  const context = (): void => {
    if (!stream.isName('with', 'without') || stream.following.text !== 'context') return;
    stream.next();
    stream.next();
  };
  if (statement === 'include' && stream.skipName('ignore')) stream.expectName('missing');
  if (statement === 'import') {
    stream.expectName('as');
    names.push(nameTarget(stream).name);
  }
  if (statement === 'from') {
    stream.expectName('import');
    do {
      const { name } = nameTarget(stream);
      if (name.startsWith('_')) stream.fail('names starting with an underline can not be imported');
      names.push(stream.skipName('as') ? nameTarget(stream).name : name);
    } while (stream.skipOperator(','));
  }
  if (statement !== 'extends') context();
  return { kind: 'elsewhere', statement, names };
}
