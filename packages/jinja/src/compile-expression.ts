import { attributeOrItem, call, itemOrAttribute } from './attributes.js';
import { iterate, truth } from './iteration.js';
import { charge } from './meter.js';
import {
  children,
  type Arguments,
  type Binary,
  type Comparison,
  type Expression,
  type Filter,
  type GetItem,
} from './nodes.js';
import { contains, equals, operate, ordered, signed, slice } from './operators.js';
import { loadOf, softPlace, type Place } from './place.js';
import { softStr, str } from './printing.js';
import { isPyError, PyError, SyntaxProblem } from './py-error.js';
import { callFilter, callTest, hasFilter, hasTest, type Evaluate, type Frame } from './runtime.js';
import { modulo } from './tests.js';
import { asMarkup, escaped, isMarkup, joined } from './text.js';
import {
  Dict,
  Float,
  isStr,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Keywords,
  type Str,
  type Value,
} from './values.js';

/** Filters that Jinja does not compute ahead of time. */
const late = new Set(['map', 'random', 'reject', 'rejectattr', 'select', 'selectattr']);

/** Whether Jinja computes an expression when it compiles the template. */
export function isConstant(node: Expression): boolean {
  if (node.kind === 'filter' || node.kind === 'test') {
    const isKnown =
      node.kind === 'filter' ? hasFilter(node.name) && !late.has(node.name) : hasTest(node.name);
    if (!isKnown || !node.target) return false;
  } else if (node.kind === 'name' || node.kind === 'call' || node.kind === 'nsref') return false;
  return children(node).every((child) => isConstant(child as Expression));
}

/** Kinds of nodes that are computed ahead where they are constant; what is in them then counts as constant. */
const folded = new Set([
  'attribute',
  'binary',
  'compare',
  'concat',
  'conditional',
  'filter',
  'item',
  'test',
  'unary',
]);

/** Turns an expression into a function that computes it. @throws SyntaxProblem */
export function compileExpression(node: Expression, given: Place): Evaluate {
  const place =
    given.isConstant || !folded.has(node.kind) || !isConstant(node) ? given : { ...given, isConstant: true };
  if (node.kind === 'item') return compileItem(node, place, given.isConstant);
  switch (node.kind) {
    case 'name':
      return loadOf(place, node.name);
    case 'const': {
      const value = node.float ? new Float(Number(node.value)) : node.value;
      return () => value;
    }
    case 'tuple': {
      const items = node.items.map((item) => compileExpression(item, place));
      return (frame) => new Tuple(items.map((item) => item(frame)));
    }
    case 'list': {
      const items = node.items.map((item) => compileExpression(item, place));
      return (frame) => items.map((item) => item(frame));
    }
    case 'dict': {
      const entries = node.items.map(
        ({ key, value }) => [compileExpression(key, place), compileExpression(value, place)] as const,
      );
      return (frame) => new Dict(entries.map(([key, value]) => [key(frame), value(frame)]));
    }
    case 'conditional': {
      const soft = softPlace(place);
      const test = compileExpression(node.test, soft);
      const chosen = compileExpression(node.chosen, soft);
      const message = `the inline if-expression on line ${node.line} evaluated to false and no else section was defined.`;
      const otherwise = node.otherwise
        ? compileExpression(node.otherwise, soft)
        : (): Value => new Undefined(() => message);
      return (frame) => (truth(test(frame)) ? chosen(frame) : otherwise(frame));
    }
    case 'filter':
    case 'test':
      return compileFilter(node, place, node.target && compileExpression(node.target, place));
    case 'call':
      return compileCall(node, place);
    case 'attribute': {
      const target = compileExpression(node.target, place);
      const { name } = node;
      return (frame) => attributeOrItem(target(frame), name);
    }
    case 'concat': {
      const items = node.items.map((item) => compileExpression(item, place));
      if (place.autoescape !== true) return (frame) => joined(items.map((item) => str(item(frame))));
      return (frame) => concatenatedSafely(items.map((item) => softStr(item(frame))));
    }
    case 'compare':
      return compileComparison(node, place);
    case 'binary':
      return compileBinary(node, place);
    case 'unary': {
      const value = compileExpression(node.value, place);
      const { operator } = node;
      return operator === 'not' ? (frame) => !truth(value(frame)) : (frame) => signed(operator, value(frame));
    }
    case 'slice':
      throw new SyntaxProblem('a slice stands outside of brackets', 1);
    case 'nsref':
      throw new SyntaxProblem('an attribute of a namespace stands outside of a target', 1);
  }
}

/** As MarkupSafe joins: one piece of markup makes all of it markup. */
function concatenatedSafely(parts: readonly Str[]): Str {
  const first = parts.findIndex(isMarkup);
  return first < 0 ? joined(parts) : asMarkup(joined(parts.map(escaped)));
}

function compileItem(node: GetItem, place: Place, isGentle: boolean): Evaluate {
  const target = compileExpression(node.target, place);
  if (node.key.kind !== 'slice') {
    const key = compileKey(node.key, place);
    return (frame) => itemOrAttribute(target(frame), key(frame));
  }
  const [start, stop, step] = [node.key.start, node.key.stop, node.key.step].map((bound) =>
    bound ? compileExpression(bound, place) : () => null,
  );
  return (frame) => {
    const value = target(frame);
    const bounds = [start?.(frame) ?? null, stop?.(frame) ?? null, step?.(frame) ?? null] as const;
    try {
      return slice(value, ...bounds);
    } catch (error) {
      if (isGentle && isPyError(error, 'TypeError')) return new Undefined(() => 'a slice is undefined');
      throw error;
    }
  };
}

/** A key; slices among several keys are of no use to any value. */
function compileKey(node: Expression, place: Place): Evaluate {
  if (node.kind === 'tuple' && node.items.some((item) => item.kind === 'slice'))
    return () => {
      throw new PyError('TypeError', "unhashable type: 'slice'");
    };
  return compileExpression(node, place);
}

function compileBinary(node: Binary, place: Place): Evaluate {
  const left = compileExpression(node.left, place);
  const right = compileExpression(node.right, place);
  const { operator } = node;
  switch (operator) {
    case 'and':
      return (frame) => {
        const value = left(frame);
        return truth(value) ? right(frame) : value;
      };
    case 'or':
      return (frame) => {
        const value = left(frame);
        return truth(value) ? value : right(frame);
      };
    case '%':
      return (frame) => modulo(left(frame), right(frame));
    default:
      return (frame) => operate(operator, left(frame), right(frame));
  }
}

type Compare = (left: Value, right: Value) => boolean;

const comparisons: Readonly<Record<Comparison['rest'][number]['operator'], Compare>> = {
  '==': equals,
  '!=': (left, right) => !equals(left, right),
  '<': (left, right) => ordered('<', left, right),
  '<=': (left, right) => ordered('<=', left, right),
  '>': (left, right) => ordered('>', left, right),
  '>=': (left, right) => ordered('>=', left, right),
  in: (left, right) => contains(right, left),
  'not in': (left, right) => !contains(right, left),
};

function compileComparison(node: Comparison, place: Place): Evaluate {
  const first = compileExpression(node.first, place);
  const rest = node.rest.map(({ operator, value }) => ({
    holds: comparisons[operator],
    value: compileExpression(value, place),
  }));
  return (frame) => {
    let left = first(frame);
    for (const { holds, value } of rest) {
      const right = value(frame);
      if (!holds(left, right)) return false;
      left = right;
    }
    return true;
  };
}

type EvaluateArguments = (frame: Frame) => { readonly args: Value[]; readonly keywords: Keywords };

const noKeywords: Keywords = new Map();

function compileArguments(node: Arguments, place: Place): EvaluateArguments {
  const positional = node.positional.map((item) => compileExpression(item, place));
  const named = node.keywords.map(({ name, value }) => [name, compileExpression(value, place)] as const);
  const more = node.more && compileExpression(node.more, place);
  const moreKeywords = node.moreKeywords && compileExpression(node.moreKeywords, place);
  if (named.length === 0 && !more && !moreKeywords)
    return (frame) => ({ args: positional.map((item) => item(frame)), keywords: noKeywords });
  return (frame) => {
    const args = positional.map((item) => item(frame));
    if (more) args.push(...iterate(more(frame)));
    const keywords: Keywords = new Map(named.map(([name, value]) => [name, value(frame)]));
    if (moreKeywords) addKeywords(keywords, moreKeywords(frame));
    return { args, keywords };
  };
}

function addKeywords(keywords: Keywords, given: Value): void {
  if (given instanceof Undefined) throw given.error;
  if (!(given instanceof Dict))
    throw new PyError('TypeError', `argument after ** must be a mapping, not ${typeName(given)}`);
  for (const [name, value] of given.entries()) {
    charge(1);
    if (!isStr(name)) throw new PyError('TypeError', 'keywords must be strings');
    if (keywords.has(textOf(name)))
      throw new PyError('TypeError', `got multiple values for keyword argument '${textOf(name)}'`);
    keywords.set(textOf(name), value);
  }
}

/** A call; a call block hands on its body as the keyword `caller`. */
export function compileCall(
  node: { readonly target: Expression; readonly args: Arguments },
  place: Place,
  caller?: Evaluate,
): Evaluate {
  const target = compileExpression(node.target, place);
  const evaluate = compileArguments(node.args, place);
  return (frame) => {
    const callee = target(frame);
    const { args, keywords } = evaluate(frame);
    return call(callee, args, caller ? new Map([...keywords, ['caller', caller(frame)]]) : keywords);
  };
}

/** A filter or test of a value. */
export function compileFilter(node: Filter, place: Place, target: Evaluate | undefined): Evaluate {
  const { kind, name } = node;
  const isKnown = kind === 'filter' ? hasFilter(name) : hasTest(name);
  if (!isKnown && !place.isSoft) throw new SyntaxProblem(`No ${kind} named '${name}'.`, node.line);
  const evaluate = compileArguments(node.args, place);
  const run = kind === 'filter' ? callFilter : callTest;
  return (frame) => {
    const value = target ? target(frame) : '';
    const { args, keywords } = evaluate(frame);
    return run(frame.context, name, [value, ...args], keywords);
  };
}
