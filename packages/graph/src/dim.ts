import { ShapeError } from '@weft/errors';

/**
 * Size of one axis: a number, or a name such as `batch` that stands for any size. Arithmetic on names gives
 * canonical sums of products, such as `past+sequence` or `4*patches`, so equal sizes are equal strings.
 */
export type Dim = number | string;
/** Sizes of all axes, outermost first. */
export type Shape = readonly Dim[];

/** Product terms with their factors, for example `4*a*b+2` as `{ 'a*b': 4, '': 2 }`. */
type Polynomial = Map<string, number>;

function parse(dim: Dim): Polynomial {
  if (typeof dim === 'number') return new Map(dim === 0 ? [] : [['', dim]]);
  const polynomial: Polynomial = new Map();
  for (const term of dim.split('+')) {
    const factors = term.split('*');
    const coefficient = factors
      .filter((f) => /^-?\d+$/.test(f))
      .reduce((product, f) => product * Number(f), 1);
    const key = factors
      .filter((f) => !/^-?\d+$/.test(f))
      .sort()
      .join('*');
    polynomial.set(key, (polynomial.get(key) ?? 0) + coefficient);
  }
  return polynomial;
}

function print(polynomial: Polynomial): Dim {
  const terms = [...polynomial].filter(([, coefficient]) => coefficient !== 0);
  if (terms.length === 0) return 0;
  if (terms.length === 1 && terms[0]![0] === '') return terms[0]![1];
  return terms
    .sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1))
    .map(([key, c]) => (key === '' ? `${c}` : c === 1 ? key : `${c}*${key}`))
    .join('+');
}

/** Sum of sizes. */
export function addDims(...dims: readonly Dim[]): Dim {
  const sum: Polynomial = new Map();
  for (const dim of dims) for (const [key, c] of parse(dim)) sum.set(key, (sum.get(key) ?? 0) + c);
  return print(sum);
}

/** Product of sizes. */
export function multiplyDims(...dims: readonly Dim[]): Dim {
  let product: Polynomial = new Map([['', 1]]);
  for (const dim of dims) {
    const next: Polynomial = new Map();
    for (const [a, x] of product)
      for (const [b, y] of parse(dim)) {
        const key = [...a.split('*'), ...b.split('*')].filter(Boolean).sort().join('*');
        next.set(key, (next.get(key) ?? 0) + x * y);
      }
    product = next;
  }
  return print(product);
}

/**
 * Quotient of sizes when the division is exact for every value of the names, else `undefined`.
 */
export function divideDims(a: Dim, b: Dim): Dim | undefined {
  const divisor = [...parse(b)];
  if (divisor.length !== 1) return a === b ? 1 : undefined;
  const [key, coefficient] = divisor[0]!;
  const factors = key.split('*').filter(Boolean);
  const quotient: Polynomial = new Map();
  for (const [term, c] of parse(a)) {
    const rest = term.split('*').filter(Boolean);
    for (const factor of factors) {
      const at = rest.indexOf(factor);
      if (at < 0) return undefined;
      rest.splice(at, 1);
    }
    if (c % coefficient !== 0) return undefined;
    quotient.set(rest.join('*'), c / coefficient);
  }
  return print(quotient);
}

/** Product of all sizes of a shape. */
export const countElements = (shape: Shape): Dim => multiplyDims(...shape);

/** Names that occur in a size. */
export const dimNames = (dim: Dim): string[] => [
  ...new Set([...parse(dim).keys()].flatMap((k) => k.split('*')).filter(Boolean)),
];

/** Terms of a size as `[coefficient, names]`, for code that computes it at run time. */
export const dimTerms = (dim: Dim): [coefficient: number, names: string[]][] =>
  [...parse(dim)].map(([key, c]) => [c, key.split('*').filter(Boolean)]);

/** Value of a size when its names are known. @throws ShapeError if a name has no value. */
export function evaluateDim(dim: Dim, values: Readonly<Record<string, number>>): number {
  let sum = 0;
  for (const [coefficient, names] of dimTerms(dim))
    sum += names.reduce((product, name) => {
      const value = values[name];
      if (value === undefined) throw new ShapeError(`The size '${name}' has no value.`);
      return product * value;
    }, coefficient);
  return sum;
}

/**
 * Shape of an elementwise operation on two shapes, by NumPy's broadcasting.
 *
 * @throws ShapeError if two sizes differ and neither is 1
 */
export function broadcastShapes(a: Shape, b: Shape, what: string): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new ShapeError({ message: `${what} cannot broadcast ${printShape(a)} with ${printShape(b)}.` });
  });
}

/** `[batch, 3, 224]`, for messages. */
export const printShape = (shape: Shape): string => `[${shape.join(', ')}]`;

/** Whether two shapes have the same sizes, names included. */
export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((dim, i) => dim === b[i]);
