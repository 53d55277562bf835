import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { ConfigError, InputError } from '@weft/errors';

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** Formats a local time as Python's `strftime` does in the C locale. */
export function strftime(date: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = days[date.getDay()] ?? '';
  const month = months[date.getMonth()] ?? '';
  const dayOfYear = Math.round(
    (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 0)) /
      86_400_000,
  );
  const fields: Readonly<Record<string, string>> = {
    Y: String(date.getFullYear()),
    y: two(date.getFullYear() % 100),
    m: two(date.getMonth() + 1),
    d: two(date.getDate()),
    e: String(date.getDate()).padStart(2, ' '),
    j: String(dayOfYear).padStart(3, '0'),
    H: two(date.getHours()),
    I: two(date.getHours() % 12 || 12),
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    p: date.getHours() < 12 ? 'AM' : 'PM',
    A: day,
    a: day.slice(0, 3),
    B: month,
    b: month.slice(0, 3),
    '%': '%',
  };
  return format.replace(/%(-?)([A-Za-z%])/g, (whole: string, bare: string, code: string) => {
    const value = fields[code];
    if (value === undefined) return whole;
    return bare ? value.replace(/^[0 ]+(?=.)/, '') : value;
  });
}

function range(...bounds: number[]): number[] {
  const [start, stop, step] =
    bounds.length === 1 ? [0, bounds[0] ?? 0, 1] : [bounds[0] ?? 0, bounds[1] ?? 0, bounds[2] ?? 1];
  if (step === 0) throw new RangeError('range() step must not be zero');
  return Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_, at) => start + at * step);
}

/** Raised by a template through `raise_exception`. */
class TemplateRefusal extends Error {}

type Program = ReturnType<typeof parse>;

/** Programs of the templates that were used last: a conversation renders one template at every turn. */
const programs = new Map<string, Program>();
const mostPrograms = 16;

/** @throws ConfigError if the template cannot be parsed */
function programOf(template: string): Program {
  const known = programs.get(template);
  if (known) {
    programs.delete(template);
    programs.set(template, known);
    return known;
  }
  let program: Program;
  try {
    program = parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true }));
  } catch (cause) {
    throw new ConfigError({
      message: `The chat template cannot be parsed: ${cause instanceof Error ? cause.message : String(cause)}`,
      where: 'chat template',
      cause,
    });
  }
  programs.set(template, program);
  if (programs.size > mostPrograms) programs.delete(programs.keys().next().value!);
  return program;
}

/**
 * Compiles a chat template with the globals and the white-space rules of transformers.
 *
 * @returns a function from the variables of the template to the rendered text.
 * @throws {ConfigError} if the template cannot be parsed; the returned function throws `InputError` if the template
 *   refuses the conversation or cannot be evaluated for it.
 */
export function compileTemplate(
  template: string,
): (variables: Readonly<Record<string, unknown>>, now: Date) => string {
  const program = programOf(template);
  return (variables, now) => {
    const environment = new Environment();
    const globals = {
      true: true,
      True: true,
      false: false,
      False: false,
      none: null,
      None: null,
      range,
      strftime_now: (format: string) => strftime(now, format),
      raise_exception: (message: unknown) => {
        throw new TemplateRefusal(String(message));
      },
      ...variables,
    };
    for (const [name, value] of Object.entries(globals)) environment.set(name, value);
    try {
      const { value } = new Interpreter(environment).run(program) as { readonly value: unknown };
      return String(value);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new InputError({
        message:
          cause instanceof TemplateRefusal
            ? `The chat template refuses these messages: ${reason}`
            : `The chat template cannot be rendered for these messages: ${reason}`,
        where: 'chat template',
        hint: 'Check the order of roles and the form of content (a string, or a list of parts) that this checkpoint takes.',
        cause,
      });
    }
  };
}
