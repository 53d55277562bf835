import { formatted } from './format-spec.js';
import { charge } from './meter.js';
import { ascii, repr, str } from './printing.js';
import { PyError } from './py-error.js';
import { asMarkup, escaped, isMarkup, joined, sliced } from './text.js';
import { isStr, textOf, type Str, type Value } from './values.js';

/** How the fields of a format find their values. */
export interface FieldAccess {
  readonly attribute: (value: Value, name: string) => Value;
  readonly item: (value: Value, key: Value) => Value;
  readonly positional: (at: number) => Value;
  readonly named: (name: Str) => Value;
}

/** A field of a format or the literal text before it. */
type Part =
  | { readonly literal: Str }
  | { readonly name: Str; readonly conversion: string | undefined; readonly spec: Str };

/** Takes a format apart as CPython's `formatter_parser` does. */
function parse(format: Str): Part[] {
  const text = textOf(format);
  const parts: Part[] = [];
  let literal: Str[] = [];
  let at = 0;
  while (at < text.length) {
    const next = /[{}]/g;
    next.lastIndex = at;
    const brace = next.exec(text);
    if (!brace) {
      literal.push(sliced(format, at));
      break;
    }
    literal.push(sliced(format, at, brace.index));
    at = brace.index + 1;
    if (text[at] === brace[0]) {
      literal.push(sliced(format, at, at + 1));
      at++;
      continue;
    }
    if (brace[0] === '}') throw new PyError('ValueError', "Single '}' encountered in format string");
    if (at >= text.length) throw new PyError('ValueError', "Single '{' encountered in format string");
    parts.push({ literal: joined(literal) });
    literal = [];
    const end = closing(text, at);
    parts.push(field(sliced(format, at, end)));
    at = end + 1;
  }
  parts.push({ literal: joined(literal) });
  return parts;
}

/** The brace that ends a field, which may hold fields in its specification. */
function closing(text: string, start: number): number {
  let depth = 1;
  for (let at = start; at < text.length; at++) {
    if (text[at] === '{') depth++;
    else if (text[at] === '}' && --depth === 0) return at;
  }
  throw new PyError('ValueError', "expected '}' before end of string");
}

function field(body: Str): Part {
  const text = textOf(body);
  let end = 0;
  let inBrackets = false;
  for (; end < text.length; end++) {
    const unit = text[end];
    if (unit === '[') inBrackets = true;
    else if (unit === ']') inBrackets = false;
    else if (unit === '{') throw new PyError('ValueError', "unexpected '{' in field name");
    else if (!inBrackets && (unit === '!' || unit === ':')) break;
  }
  const name = sliced(body, 0, end);
  if (text[end] !== '!') return { name, conversion: undefined, spec: sliced(body, end + 1) };
  const conversion = text[end + 1];
  if (conversion === undefined)
    throw new PyError('ValueError', 'end of string while looking for conversion specifier');
  const after = text[end + 2];
  if (after !== undefined && after !== ':')
    throw new PyError('ValueError', "expected ':' after conversion specifier");
  return { name, conversion, spec: sliced(body, end + 3) };
}

/** `str.format` of the sandbox: attributes and items of arguments are looked up by the rules of templates. */
export function formatString(format: Str, access: FieldAccess): Str {
  const numbering = { next: 0, manual: false };
  const result = fill(format, access, numbering, 2, isMarkup(format));
  return isMarkup(format) ? asMarkup(result) : result;
}

interface Numbering {
  next: number;
  manual: boolean;
}

function fill(format: Str, access: FieldAccess, numbering: Numbering, depth: number, escape: boolean): Str {
  if (depth < 0) throw new PyError('ValueError', 'Max string recursion exceeded');
  const parts = parse(format).map((part): Str => {
    charge(1);
    if ('literal' in part) return part.literal;
    const value = converted(lookUp(part.name, access, numbering), part.conversion);
    const spec = fill(part.spec, access, numbering, depth - 1, false);
    if (!escape) return formatted(value, spec);
    return escaped(isStr(value) && isMarkup(value) && textOf(spec) === '' ? value : formatted(value, spec));
  });
  return joined(parts);
}

function converted(value: Value, conversion: string | undefined): Value {
  switch (conversion) {
    case undefined:
      return value;
    case 's':
      return str(value);
    case 'r':
      return repr(value);
    case 'a':
      return ascii(value);
    default:
      throw new PyError('ValueError', `Unknown conversion specifier ${conversion}`);
  }
}

function lookUp(name: Str, access: FieldAccess, numbering: Numbering): Value {
  const text = textOf(name);
  const first = /^[^.[]*/.exec(text)?.[0] ?? '';
  let value = argument(first, sliced(name, 0, first.length), access, numbering);
  let at = first.length;
  while (at < text.length) {
    if (text[at] === '.') {
      const attribute = /[^.[]*/.exec(text.slice(at + 1))?.[0] ?? '';
      if (attribute === '') throw new PyError('ValueError', 'Empty attribute in format string');
      value = access.attribute(value, attribute);
      at += 1 + attribute.length;
    } else if (text[at] === '[') {
      const end = text.indexOf(']', at);
      if (end < 0) throw new PyError('ValueError', "Missing ']' in format string");
      if (end === at + 1) throw new PyError('ValueError', 'Empty attribute in format string');
      const key = text.slice(at + 1, end);
      value = access.item(value, /^\d+$/.test(key) ? Number(key) : sliced(name, at + 1, end));
      at = end + 1;
    } else throw new PyError('ValueError', "Only '.' or '[' may follow ']' in format field specifier");
  }
  return value;
}

function argument(first: string, name: Str, access: FieldAccess, numbering: Numbering): Value {
  if (first === '') {
    if (numbering.manual)
      throw new PyError(
        'ValueError',
        'cannot switch from manual field specification to automatic field numbering',
      );
    return access.positional(numbering.next++);
  }
  if (!/^\d+$/.test(first)) return access.named(name);
  if (numbering.next > 0)
    throw new PyError(
      'ValueError',
      'cannot switch from manual field specification to automatic field numbering',
    );
  numbering.manual = true;
  return access.positional(Number(first));
}
