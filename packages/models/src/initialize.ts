import { namedParameters, type Initializer, type Parameter, type Part } from '@weft/graph';
import { splitMix32, xoshiro128 } from './random.js';

/**
 * Random numbers of one parameter, above 0 and below 1. They are seeded from the seed and the path, so that values do not
 * depend on the order or number of the other parameters.
 */
function generator(seed: number, path: string): () => number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const byte of new TextEncoder().encode(path)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  const next = xoshiro128(splitMix32(hash));
  return () => (next() + 0.5) / 2 ** 32;
}

/** Values of one parameter by its initializer. */
export function initialValues(
  path: string,
  elements: number,
  initializer: Initializer,
  seed: number,
): Float32Array {
  const values = new Float32Array(elements);
  if (initializer.kind === 'zeros') return values;
  if (initializer.kind === 'ones') return values.fill(1);
  const random = generator(seed, path);
  if (initializer.kind === 'uniform') return values.map(() => (2 * random() - 1) * initializer.bound);
  for (let i = 0; i < elements; i += 2) {
    // Box-Muller gives two independent normals.
    const radius = Math.sqrt(-2 * Math.log(random())) * initializer.std;
    const angle = 2 * Math.PI * random();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < elements) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

/**
 * Values for every parameter of a tree by path, the same for the same seed.
 *
 * @param choose another initializer than the parameter's own, by path
 */
export function initialWeights(
  model: Part,
  seed: number,
  choose: (path: string, parameter: Parameter) => Initializer = (_, parameter) => parameter.initializer,
): Map<string, Float32Array> {
  const named = [...namedParameters(model)];
  return new Map(named.map(([path, p]) => [path, initialValues(path, p.elements, choose(path, p), seed)]));
}
