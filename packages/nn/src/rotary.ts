import { ConfigError } from '@weft/errors';
import { cast, constant, cos, mul, reshape, sin, type Value } from '@weft/graph';
import type { Json } from '@weft/spec';

/** Rotary embedding of a decoder, as `config.json` gives it. */
export interface RopeConfig {
  readonly ropeTheta: number;
  /** Rotated channels of each head; even. */
  readonly rotaryDim: number;
  /** Stretching of the frequencies for longer contexts. */
  readonly ropeScaling?: RopeScaling | undefined;
}

export type RopeScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalMaxPositionEmbeddings: number;
    };

/** Frequencies in radians per token, `rotaryDim / 2` of them, in float32 steps like the reference. */
export function ropeFrequencies({ ropeTheta, rotaryDim, ropeScaling }: RopeConfig): Float32Array {
  const f = Math.fround;
  return Float32Array.from({ length: rotaryDim / 2 }, (_, j) => {
    const frequency = f(1 / f(ropeTheta ** f((2 * j) / rotaryDim)));
    if (!ropeScaling) return frequency;
    if (ropeScaling.type === 'linear') return f(frequency / ropeScaling.factor);
    const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositionEmbeddings: context } = ropeScaling;
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength > context / low) return frequency / factor;
    if (wavelength < context / high) return frequency;
    const smooth = (context / wavelength - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** Cosines and sines `[B, L, R/2]` at int64 positions `[B, L]`. */
export function rotary(positionIds: Value, config: RopeConfig): { cos: Value; sin: Value } {
  const [batch, length] = positionIds.shape;
  const angles = mul(
    reshape(cast(positionIds, 'float32'), [batch!, length!, 1]),
    constant(ropeFrequencies(config), 'float32'),
  );
  return { cos: cos(angles), sin: sin(angles) };
}

/**
 * Reads `rope_theta`, `rope_scaling` and `rope_parameters` of a text config, old and new spelling.
 *
 * @throws ConfigError if the scaling is of a kind that Weft does not know
 */
export function readRope(section: Json, headDim: number, defaultTheta = 10000): RopeConfig {
  const parameters = (section['rope_parameters'] ?? section['rope_scaling'] ?? {}) as Json;
  const number = (key: string, fallback?: number): number => {
    const value = parameters[key] ?? section[key] ?? fallback;
    if (typeof value !== 'number') throw new ConfigError(`config.json: the rope field '${key}' is ${JSON.stringify(value)}, expected a number.`);
    return value;
  };
  const rotaryDim = Math.trunc(headDim * number('partial_rotary_factor', 1));
  const base = { ropeTheta: number('rope_theta', defaultTheta), rotaryDim };
  const type = parameters['rope_type'] ?? parameters['type'] ?? 'default';
  if (type === 'default' || type === 'mrope') return base;
  if (type === 'linear') return { ...base, ropeScaling: { type, factor: number('factor') } };
  if (type === 'llama3')
    return {
      ...base,
      ropeScaling: {
        type,
        factor: number('factor'),
        lowFrequencyFactor: number('low_freq_factor'),
        highFrequencyFactor: number('high_freq_factor'),
        originalMaxPositionEmbeddings: number('original_max_position_embeddings'),
      },
    };
  throw new ConfigError({
    message: `config.json: rope scaling of type '${String(type)}' is not known.`,
    hint: 'Known: default, linear, llama3.',
  });
}
