import { compileExpression } from './compile-expression.js';
import { iterate, truth } from './iteration.js';
import { Loop } from './loop.js';
import { charge, nested } from './meter.js';
import { everyNode, type Expression, type For } from './nodes.js';
import {
  entering,
  frameMaker,
  innerPlace,
  mentions,
  weightOf,
  type CompileBody,
  type Place,
} from './place.js';
import { SyntaxProblem } from './py-error.js';
import { Frame, type Evaluate, type Execute } from './runtime.js';
import { compileTarget } from './target.js';
import { joined } from './text.js';
import { Tuple, type Str, type Value } from './values.js';

/** The items that pass the test of a loop. */
type Select = (outer: Frame, items: Value) => Iterable<Value>;

function compileTest(node: For, test: Expression, outer: Place): Select {
  const place = innerPlace(outer);
  place.symbols.analyze([test], [node.target]);
  const makeFrame = frameMaker(place.symbols);
  const assign = compileTarget(node.target, place);
  const holds = compileExpression(test, place);
  const weight = weightOf(test);
  // The target is written down again: a row that was unpacked comes out as a tuple.
  const rebuild = rebuildOf(node.target, place);
  return function* (frame, items) {
    const inner = makeFrame(frame);
    for (const item of iterate(items)) {
      charge(weight);
      assign(inner, item);
      if (truth(holds(inner))) yield rebuild ? rebuild(inner) : item;
    }
  };
}

function rebuildOf(target: Expression, place: Place): Evaluate | undefined {
  if (target.kind !== 'tuple') return undefined;
  const items = target.items.map(
    (item) =>
      rebuildOf(item, place) ??
      compileExpression(item.kind === 'name' ? { ...item, use: 'load' } : item, place),
  );
  return (frame) => new Tuple(items.map((item) => item(frame)));
}

/** Turns a loop into a function that runs it. */
export function compileFor(node: For, outer: Place, compileBody: CompileBody): Execute {
  for (const inner of everyNode(node))
    if (inner.kind === 'name' && inner.use === 'store' && inner.name === 'loop')
      throw new SyntaxProblem("Can't assign to special loop variable in for-loop target", node.line);
  const place: Place = { ...innerPlace(outer), inLoop: true };
  const { symbols } = place;
  const usesScopedBlock = [...everyNode(node)].some((inner) => inner.kind === 'block' && inner.scoped);
  const isExtended = node.recursive || usesScopedBlock || mentions(node.body, ['loop']).has('loop');
  const loopSlot = isExtended ? symbols.declare('loop').slot : undefined;
  symbols.analyze(node.body, [node.target]);
  const elsePlace = { ...innerPlace(outer), inLoop: outer.inLoop && !node.recursive };
  elsePlace.symbols.analyze(node.otherwise);

  const select = node.test && compileTest(node, node.test, outer);
  const iterable = compileExpression(node.iterable, outer);
  const assign = compileTarget(node.target, place);
  const enter = entering(symbols);
  const body = compileBody(node.body, place);
  const makeElse = frameMaker(elsePlace.symbols);
  const otherwise = compileBody(node.otherwise, elsePlace);
  const weight = 1 + weightOf(node.target);

  const run = (frame: Frame, out: Str[], items: Value, depth: number) => {
    const recurse = node.recursive
      ? (inner: Value, depth: number): Value => nested(() => rendered(frame, inner, depth))
      : undefined;
    const loop = new Loop(select ? select(frame, items) : items, recurse, depth);
    const inner = new Frame(frame.context, frame, symbols.size);
    let isComplete = false;
    for (let item = loop.advance(); item !== undefined; item = loop.advance()) {
      charge(weight);
      assign(inner, item);
      if (loopSlot !== undefined) inner.slots[loopSlot] = loop;
      enter(inner);
      const signal = body(inner, out);
      if (signal === 'break') break;
      // A round that is left early does not count: with `else`, such a loop counts as empty.
      if (signal === 'done') isComplete = true;
    }
    return isComplete || node.otherwise.length === 0 ? 'done' : otherwise(makeElse(frame), out);
  };
  const rendered = (frame: Frame, items: Value, depth: number): Value => {
    const out: Str[] = [];
    run(frame, out, items, depth);
    return joined(out);
  };
  if (!node.recursive) return (frame, out) => run(frame, out, iterable(frame), 0);
  return (frame, out) => {
    out.push(joined([rendered(frame, iterable(frame), 0) as Str]));
    return 'done';
  };
}
