import { call } from './attributes.js';
import { Builtin } from './call.js';
import { compileCall, compileExpression, compileFilter, isConstant } from './compile-expression.js';
import { compileFor } from './compile-for.js';
import { truth } from './iteration.js';
import { compileMacro } from './macro.js';
import { charge, nested } from './meter.js';
import {
  everyNode,
  type Assign,
  type AssignBlock,
  type Block,
  type Expression,
  type If,
  type Output,
  type Statement,
} from './nodes.js';
import {
  frameMaker,
  innerPlace,
  mentions,
  softPlace,
  weightOf,
  entering,
  hopsTo,
  type Place,
  type RenderBlock,
} from './place.js';
import { softStr, str } from './printing.js';
import { PyError, SyntaxProblem } from './py-error.js';
import { Frame, type Context, type Evaluate, type Execute } from './runtime.js';
import { Symbols } from './symbols.js';
import { compileTarget, namespaceCheck } from './target.js';
import { asMarkup, escaped, joined } from './text.js';
import { PyObject, Undefined, type Str, type Value } from './values.js';

/** The `self` of a template: its named blocks, which can be called. */
class SelfReference extends PyObject {
  readonly typeName = 'TemplateReference';
  readonly #context: Context;
  readonly #blocks: ReadonlyMap<string, RenderBlock>;

  constructor(context: Context, blocks: ReadonlyMap<string, RenderBlock>) {
    super();
    this.#context = context;
    this.#blocks = blocks;
  }

  override repr(): string {
    return '<TemplateReference None>';
  }

  override attribute(name: string): Value | undefined {
    const render = this.#blocks.get(name);
    return (
      render &&
      new Builtin(name, () => {
        const out: Str[] = [];
        render(this.#context, out);
        const text = joined(out);
        return this.#context.autoescape ? asMarkup(text) : text;
      })
    );
  }
}

/** Turns the statements of a template into a function that renders it. @throws SyntaxProblem */
export function compileStatements(body: readonly Statement[]): (context: Context) => Str {
  const blocks = new Map<string, RenderBlock>();
  const named: Block[] = [];
  for (const statement of body)
    for (const node of everyNode(statement))
      if (node.kind === 'block') {
        if (named.some(({ name }) => name === node.name))
          throw new SyntaxProblem(`block '${node.name}' defined twice`, node.line);
        named.push(node);
      }
  const root: Place = {
    symbols: new Symbols(),
    isTop: true,
    isSoft: false,
    isConstant: false,
    inLoop: false,
    autoescape: false,
    blocks,
  };
  const runRoot = compileRoot(body, root);
  for (const block of named)
    blocks.set(block.name, compileRoot(block.body, { ...root, symbols: new Symbols(), isTop: false }));
  return (context) => {
    const out: Str[] = [];
    runRoot(context, out);
    return joined(out);
  };
}

/** Statements in a frame that has none around it. */
function compileRoot(body: readonly Statement[], place: Place): RenderBlock {
  const { symbols, blocks, isTop } = place;
  const special = mentions(body, isTop ? ['self'] : ['self', 'super']);
  const refs = (['self', 'super'] as const)
    .filter((name) => special.has(name))
    .map((name) => ({ name, slot: symbols.declare(name).slot }));
  symbols.analyze(body);
  const enter = entering(symbols);
  const run = compileBody(body, place);
  return (context, out) =>
    nested(() => {
      const frame = new Frame(context, undefined, symbols.size);
      for (const { name, slot } of refs)
        frame.slots[slot] =
          name === 'self'
            ? new SelfReference(context, blocks)
            : new Undefined(() => 'there is no parent block called so');
      enter(frame);
      run(frame, out);
    });
}

/** Turns statements into a function that runs them one after another. */
function compileBody(body: readonly Statement[], place: Place): Execute {
  const steps = body.map((statement) => compileStatement(statement, place));
  return (frame, out) => {
    for (const step of steps) {
      const signal = step(frame, out);
      if (signal !== 'done') return signal;
    }
    return 'done';
  };
}

function compileStatement(node: Statement, place: Place): Execute {
  switch (node.kind) {
    case 'output':
      return compileOutput(node, place);
    case 'if':
      return compileIf(node, place);
    case 'for':
      return compileFor(node, place, compileBody);
    case 'assign':
      return compileAssign(node, place);
    case 'assignblock':
      return compileAssignBlock(node, place);
    case 'macro': {
      const make = compileMacro(node, place, compileBody);
      const assign = compileTarget({ kind: 'name', name: node.name, use: 'store' }, place);
      return (frame) => {
        assign(frame, make(frame));
        return 'done';
      };
    }
    case 'callblock': {
      const caller = compileMacro({ ...node, name: null }, place, compileBody);
      return printing(compileCall(node.call, place, caller), place, weightOf(node.call));
    }
    case 'generation': {
      const make = compileMacro(
        { name: null, params: [], defaults: [], body: node.body, line: 1 },
        place,
        compileBody,
      );
      return printing((frame) => call(make(frame), [], new Map()), place, 1);
    }
    case 'filterblock':
      return compileFilterBlock(node.body, node.filter, place);
    case 'with': {
      const inner = innerPlace(place);
      inner.symbols.analyze([...node.targets, ...node.body]);
      const makeFrame = frameMaker(inner.symbols);
      const assigns = node.targets.map((target) => compileTarget(target, inner));
      const values = node.values.map((value) => compileExpression(value, place));
      const weight = node.values.reduce((sum, value) => sum + weightOf(value), 1);
      const body = compileBody(node.body, inner);
      return (outer, out) => {
        charge(weight);
        const frame = makeFrame(outer);
        assigns.forEach((assign, at) => assign(frame, values[at]?.(outer) ?? null));
        return body(frame, out);
      };
    }
    case 'block':
      return compileBlock(node, place);
    case 'scope':
      return compileAutoescape(node.autoescape, node.body, place);
    case 'break':
    case 'continue':
      if (!place.inLoop) throw new SyntaxProblem(`'${node.kind}' outside loop`, node.line);
      return () => node.kind as 'break' | 'continue';
    case 'elsewhere':
      return () => {
        throw new PyError(
          'TypeError',
          `no loader for this environment specified, which ${node.statement} needs`,
        );
      };
  }
}

/** Prints what an expression gives. */
function printing(evaluate: Evaluate, place: Place, weight: number): Execute {
  const { autoescape } = place;
  return (frame, out) => {
    charge(weight);
    const value = evaluate(frame);
    out.push((autoescape ?? frame.context.autoescape) ? escaped(softStr(value)) : str(value));
    return 'done';
  };
}

function compileOutput(node: Output, place: Place): Execute {
  const parts = node.parts.map((part): Execute => {
    if (part.kind !== 'data') {
      const inner = { ...place, isConstant: isConstant(part) };
      return printing(compileExpression(part, inner), place, weightOf(part));
    }
    const { text } = part;
    return (_, out) => {
      out.push(text);
      return 'done';
    };
  });
  return (frame, out) => {
    charge(parts.length);
    for (const part of parts) part(frame, out);
    return 'done';
  };
}

function compileIf(node: If, outer: Place): Execute {
  const place = softPlace(outer);
  const branches = [node, ...node.elif].map(({ test, body }) => ({
    holds: compileExpression(test, place),
    weight: weightOf(test),
    run: compileBody(body, place),
  }));
  const otherwise = compileBody(node.otherwise, place);
  return (frame, out) => {
    for (const { holds, weight, run } of branches) {
      charge(weight);
      if (truth(holds(frame))) return run(frame, out);
    }
    return otherwise(frame, out);
  };
}

function compileAssign(node: Assign, place: Place): Execute {
  const check = namespaceCheck(node.target, place);
  const value = compileExpression(node.value, place);
  const assign = compileTarget(node.target, place);
  const weight = weightOf(node.value) + weightOf(node.target);
  return (frame) => {
    charge(weight);
    check(frame);
    assign(frame, value(frame));
    return 'done';
  };
}

/** Statements whose text is caught; undefined is given back where a loop is left within. */
function catching(
  body: readonly Statement[],
  place: Place,
): (outer: Frame) => { readonly frame: Frame; readonly text: Str; readonly signal: ReturnType<Execute> } {
  const makeFrame = frameMaker(place.symbols);
  const run = compileBody(body, place);
  return (outer) => {
    const frame = makeFrame(outer);
    const out: Str[] = [];
    const signal = run(frame, out);
    const text = joined(out);
    return { frame, text: frame.context.autoescape ? asMarkup(text) : text, signal };
  };
}

function compileAssignBlock(node: AssignBlock, place: Place): Execute {
  const inner = innerPlace(place);
  inner.symbols.analyze(node.body);
  const capture = catching(node.body, inner);
  const filter = node.filter && compileFilterChain(node.filter, inner);
  const assign = compileTarget(node.target, place);
  return (outer) => {
    charge(1);
    const { frame, text, signal } = capture(outer);
    if (signal !== 'done') return signal;
    const value = filter ? filter(frame, text) : text;
    assign(outer, frame.context.autoescape ? asMarkup(softStr(value)) : value);
    return 'done';
  };
}

function compileFilterBlock(
  body: readonly Statement[],
  filter: AssignBlock['filter'] & object,
  place: Place,
): Execute {
  const inner = innerPlace(place);
  // The filter belongs to the frame of the block, in which it is looked at first.
  inner.symbols.analyze([...body, filter]);
  const capture = catching(body, inner);
  const run = compileFilterChain(filter, inner);
  return (outer, out) => {
    charge(weightOf(filter));
    const { frame, text, signal } = capture(outer);
    if (signal !== 'done') return signal;
    const value = run(frame, text);
    out.push((place.autoescape ?? frame.context.autoescape) ? escaped(softStr(value)) : softStr(value));
    return 'done';
  };
}

/** Filters one after another, of which the first takes the text of a block. */
function compileFilterChain(filter: Expression, place: Place): (frame: Frame, text: Str) => Value {
  if (filter.kind !== 'filter') throw new SyntaxProblem('a filter is expected', 1);
  const given: { text: Str } = { text: '' };
  const target = filter.target && compileFilterChain(filter.target, place);
  const run = compileFilter(filter, place, (frame) => (target ? target(frame, given.text) : given.text));
  return (frame, text) => {
    given.text = text;
    return run(frame);
  };
}

function compileBlock(node: Block, place: Place): Execute {
  const { blocks, symbols } = place;
  const { name, scoped, required } = node;
  return (frame, out) => {
    charge(1);
    if (required) throw new PyError('TemplateRuntimeError', `Required block '${name}' not found`);
    const context = scoped ? frame.context.derived(variablesOf(symbols, frame)) : frame.context;
    blocks.get(name)?.(context, out);
    return 'done';
  };
}

/** The variables that are set in a frame and those around it. */
function* variablesOf(symbols: Symbols, frame: Frame): Iterable<readonly [string, Value]> {
  for (const [name, ref] of symbols.stored()) {
    const value = frame.outer(hopsTo(symbols, ref)).slots[ref.slot];
    if (value !== undefined) yield [name, value];
  }
}

function compileAutoescape(option: Expression, body: readonly Statement[], place: Place): Execute {
  const inner: Place = {
    ...innerPlace(place),
    autoescape: option.kind === 'const' ? Boolean(option.value) : undefined,
  };
  inner.symbols.analyze([option, ...body]);
  const makeFrame = frameMaker(inner.symbols);
  const value = compileExpression(option, inner);
  const run = compileBody(body, inner);
  return (outer, out) => {
    charge(1);
    const frame = makeFrame(outer);
    const { context } = frame;
    const before = context.autoescape;
    context.autoescape = truth(value(frame));
    const signal = run(frame, out);
    // As in Jinja, a loop that is left within keeps the setting.
    if (signal === 'done') context.autoescape = before;
    return signal;
  };
}
