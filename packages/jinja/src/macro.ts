import { compileExpression } from './compile-expression.js';
import { charge, nested } from './meter.js';
import type { Expression, Name, Statement } from './nodes.js';
import { entering, innerPlace, mentions, type CompileBody, type Place } from './place.js';
import { PyError, SyntaxProblem } from './py-error.js';
import { Frame, type Evaluate } from './runtime.js';
import { asMarkup, joined } from './text.js';
import { Callable, Dict, Tuple, Undefined, type Keywords, type Str, type Value } from './values.js';

/** What a macro does with arguments that have no parameter. */
interface Extras {
  readonly caller: boolean;
  readonly kwargs: boolean;
  readonly varargs: boolean;
}

/** A macro, or the body of a call block. */
class MacroValue extends Callable {
  readonly typeName = 'Macro';
  readonly #name: string | null;
  readonly #params: readonly string[];
  readonly #extras: Extras;
  readonly #render: (values: readonly (Value | undefined)[]) => Value;

  constructor(
    name: string | null,
    params: readonly string[],
    extras: Extras,
    render: (values: readonly (Value | undefined)[]) => Value,
  ) {
    super();
    this.#name = name;
    this.#params = params;
    this.#extras = extras;
    this.#render = render;
  }

  override repr(): string {
    return this.#name === null ? '<Macro anonymous>' : `<Macro '${this.#name}'>`;
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case 'name':
        return this.#name;
      case 'arguments':
        return new Tuple(this.#params);
      case 'catch_kwargs':
        return this.#extras.kwargs;
      case 'catch_varargs':
        return this.#extras.varargs;
      case 'caller':
        return this.#extras.caller;
      case 'explicit_caller':
        return this.#params.includes('caller');
      default:
        return undefined;
    }
  }

  call(args: readonly Value[], given: Keywords): Value {
    const keywords = new Map(given);
    const values: (Value | undefined)[] = args.slice(0, this.#params.length);
    let hasCaller = values.length === this.#params.length && this.#params.includes('caller');
    for (const name of this.#params.slice(values.length)) {
      values.push(keywords.get(name));
      keywords.delete(name);
      hasCaller ||= name === 'caller';
    }
    if (this.#extras.caller && !hasCaller) {
      const caller = keywords.get('caller') ?? null;
      keywords.delete('caller');
      values.push(caller === null ? new Undefined(() => 'No caller defined') : caller);
    }
    const [extra] = keywords.keys();
    if (this.#extras.kwargs) values.push(new Dict(keywords));
    else if (extra !== undefined)
      throw new PyError('TypeError', `macro '${this.#name}' takes no keyword argument '${extra}'`);
    if (this.#extras.varargs) values.push(new Tuple(args.slice(this.#params.length)));
    else if (args.length > this.#params.length)
      throw new PyError(
        'TypeError',
        `macro '${this.#name}' takes not more than ${this.#params.length} argument(s)`,
      );
    return this.#render(values);
  }
}

/** A macro's or call block's parts. */
export interface MacroParts {
  readonly name: string | null;
  readonly params: readonly Name[];
  readonly defaults: readonly Expression[];
  readonly body: readonly Statement[];
  readonly line: number;
}

/** Turns a macro into a function that makes it where it is defined. */
export function compileMacro(node: MacroParts, outer: Place, compileBody: CompileBody): Evaluate {
  const place: Place = { ...innerPlace(outer), inLoop: false };
  const { symbols } = place;
  const everything = [...node.params, ...node.defaults, ...node.body];
  symbols.analyze(everything);
  const names = node.params.map(({ name }) => name);
  const mentioned = mentions(node.body, ['caller', 'kwargs', 'varargs']);
  const callerAt = names.indexOf('caller');
  if (mentioned.has('caller') && callerAt >= 0 && callerAt < names.length - node.defaults.length)
    throw new SyntaxProblem(
      'When defining macros or call blocks the special "caller" argument must be omitted or be given a default.',
      node.line,
    );
  const extras: Extras = {
    caller: mentioned.has('caller'),
    kwargs: mentioned.has('kwargs') && !names.includes('kwargs'),
    varargs: mentioned.has('varargs') && !names.includes('varargs'),
  };
  const added = (['caller', 'kwargs', 'varargs'] as const).filter(
    (name) => extras[name] && !names.includes(name),
  );
  for (const name of added) symbols.declare(name);
  symbols.analyze(everything);
  const slots = [...names, ...added].map((name) => symbols.find(name)?.slot ?? 0);
  const enter = entering(symbols);
  const defaults = node.params.map(({ name }, at): Evaluate => {
    const given = node.defaults[at - (names.length - node.defaults.length)];
    if (given) return compileExpression(given, place);
    return () => new Undefined(() => `parameter '${name}' was not provided`);
  });
  const run = compileBody(node.body, place);
  return (definedIn) =>
    new MacroValue(node.name, names, extras, (values) =>
      nested(() => {
        charge(1 + values.length);
        const frame = new Frame(definedIn.context, definedIn, symbols.size);
        enter(frame);
        slots.forEach((slot, at) => {
          frame.slots[slot] = values[at];
        });
        defaults.forEach((compute, at) => {
          const slot = slots[at] ?? 0;
          if (frame.slots[slot] === undefined) frame.slots[slot] = compute(frame);
        });
        const out: Str[] = [];
        run(frame, out);
        const text = joined(out);
        return frame.context.autoescape ? asMarkup(text) : text;
      }),
    );
}
