import { namedParameters, type Initializer, type Parameter, type Part } from '@weft/graph';

/**
 * Random numbers of one parameter: xoshiro128** seeded from the seed and the path, so that values do not depend on
 * the order or number of the other parameters.
 */
function generator(seed: number, path: string): () => number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  const mix = () => {
    // splitmix32, to fill the state from one hash.
    hash = (hash + 0x9e3779b9) >>> 0;
    let z = hash;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  for (const byte of new TextEncoder().encode(path)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  const s = Uint32Array.from({ length: 4 }, mix);
  const rotate = (x: number, k: number) => (x << k) | (x >>> (32 - k));
  return () => {
    const result = Math.imul(rotate(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const t = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotate(s[3]!, 11);
    return (result + 0.5) / 4294967296;
  };
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
