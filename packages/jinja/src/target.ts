import { unpacked } from './iteration.js';
import { everyNode, type Expression } from './nodes.js';
import { hopsTo, type Place } from './place.js';
import { PyError, SyntaxProblem } from './py-error.js';
import type { Frame } from './runtime.js';
import { Namespace, type Value } from './values.js';

/** Assigns a value to what a target names. */
export type AssignValue = (frame: Frame, value: Value) => void;

/** Turns a target into a function that assigns to it. */
export function compileTarget(node: Expression, place: Place): AssignValue {
  if (node.kind === 'name') {
    const ref = place.symbols.find(node.name);
    if (!ref) throw new SyntaxProblem(`'${node.name}' has no place`, 1);
    const hops = hopsTo(place.symbols, ref);
    const { name } = node;
    const isExported = place.isTop;
    return (frame, value) => {
      frame.outer(hops).slots[ref.slot] = value;
      if (isExported) frame.context.export(name, value);
    };
  }
  if (node.kind === 'nsref') {
    const find = namespaceOf(node.name, place);
    return (frame, value) => find(frame).attributes.set(node.attribute, value);
  }
  if (node.kind !== 'tuple') throw new SyntaxProblem(`can't assign to '${node.kind}'`, 1);
  const targets = node.items.map((item) => compileTarget(item, place));
  return (frame, value) => {
    const items = unpacked(value, targets.length);
    targets.forEach((assign, at) => assign(frame, items[at] ?? null));
  };
}

function namespaceOf(name: string, place: Place): (frame: Frame) => Namespace {
  const ref = place.symbols.find(name);
  const hops = ref ? hopsTo(place.symbols, ref) : 0;
  return (frame) => {
    const value = ref && frame.outer(hops).slots[ref.slot];
    if (value instanceof Namespace) return value;
    throw new PyError('TemplateRuntimeError', 'cannot assign attribute on non-namespace object');
  };
}

/** Checks that all attributes in a target are those of namespaces, before anything is computed. */
export function namespaceCheck(target: Expression, place: Place): (frame: Frame) => void {
  const finds: ((frame: Frame) => Namespace)[] = [];
  for (const node of everyNode(target)) if (node.kind === 'nsref') finds.push(namespaceOf(node.name, place));
  return (frame) => {
    for (const find of finds) find(frame);
  };
}
