import { ConfigError, ShapeError } from '@weft/errors';
import {
  cast,
  concat,
  constant,
  cos,
  currentPath,
  expand,
  mul,
  printShape,
  reshape,
  sin,
  slice,
  type Dim,
  type Value,
} from '@weft/graph';
import type { Json } from '@weft/spec';

/** Rotary embedding of a decoder, as `config.json` gives it. */
export interface RopeConfig {
  readonly ropeTheta: number;
  /** Rotated channels of each head; even. */
  readonly rotaryDim: number;
  /** Stretching of the frequencies for longer contexts. */
  readonly ropeScaling?: RopeScaling | undefined;
  /**
   * Frequencies in turn for the axes of a position, as many as given; together `rotaryDim / 2`. For M-RoPE, whose
   * positions have a time, a row and a column: the first for time, the next for rows, the next for columns.
   */
  readonly mropeSection?: readonly number[] | undefined;
  /** Whether neighbouring channels turn together (`2j`, `2j + 1`), as in native checkpoints; not unless given. */
  readonly ropeInterleaved?: boolean | undefined;
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
    const {
      factor,
      lowFrequencyFactor: low,
      highFrequencyFactor: high,
      originalMaxPositionEmbeddings: context,
    } = ropeScaling;
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength > context / low) return frequency / factor;
    if (wavelength < context / high) return frequency;
    const smooth = (context / wavelength - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** Cosines and sines of rotary angles. */
export interface RotaryAngles {
  readonly cos: Value;
  readonly sin: Value;
}

/**
 * Cosines and sines `[B, L, R/2]` at int64 positions `[B, L]`. Positions `[A, B, L]` of several axes are for configs
 * with an `mropeSection`.
 *
 * @throws ConfigError if the positions have axes and the config has no sections for them
 */
export function rotary(positionIds: Value, config: RopeConfig): RotaryAngles {
  const frequencies = ropeFrequencies(config);
  if (positionIds.rank === 2)
    return axialRotary(reshape(positionIds, [1, ...positionIds.shape]), [{ axis: 0, frequencies }]);
  const { mropeSection } = config;
  if (!mropeSection)
    throw new ConfigError({
      message: 'Positions of several axes need an mropeSection.',
      hint: 'Give the decoder positions [batch, sequence].',
    });
  let taken = 0;
  // Some configs list the three sections twice.
  const sections = mropeSection.map((size, i) => ({
    axis: i % 3,
    frequencies: frequencies.subarray(taken, (taken += size)),
  }));
  return axialRotary(positionIds, sections);
}

/** Frequencies that turn with one axis of a position. */
export interface RotarySection {
  readonly axis: number;
  /** Radians per step. */
  readonly frequencies: Float32Array;
}

/**
 * Cosines and sines `[…, R/2]` at int64 positions `[A, …]`: the sections' angles side by side.
 *
 * @throws ShapeError if the positions have other axes than the sections use
 */
export function axialRotary(positions: Value, sections: readonly RotarySection[]): RotaryAngles {
  const axes = 1 + Math.max(...sections.map(({ axis }) => axis));
  const rest = positions.shape.slice(1);
  if (positions.shape[0] !== axes)
    throw new ShapeError({
      message: `Rotary positions are ${printShape(positions.shape)}, expected ${axes} axes first.`,
      where: currentPath() || undefined,
    });
  const parts = sections.map(({ axis, frequencies }) => {
    const along = reshape(slice(positions, 0, axis, axis + 1), [...rest, 1]);
    return mul(cast(along, 'float32'), constant(frequencies, 'float32'));
  });
  const angles = concat(parts, rest.length);
  return { cos: cos(angles), sin: sin(angles) };
}

/**
 * Cosines and sines `[T, P, R/2]` of patches: int64 rows and columns `[2, P]`, the same for all tiles.
 *
 * @param frequencies of rows and of columns, radians per patch
 */
export function patchRotary(
  positions: Value,
  tiles: Dim,
  frequencies: { readonly rows: Float32Array; readonly columns: Float32Array },
): RotaryAngles {
  const { rows, columns } = frequencies;
  const angles = axialRotary(positions, [
    { axis: 0, frequencies: rows },
    { axis: 1, frequencies: columns },
  ]);
  const size = rows.length + columns.length;
  const spread = (angle: Value): Value =>
    expand(reshape(angle, [1, positions.shape[1]!, size]), [tiles, positions.shape[1]!, size]);
  return { cos: spread(angles.cos), sin: spread(angles.sin) };
}

/** What a family of decoders takes where its `config.json` says nothing. */
export interface RopeDefaults {
  readonly ropeTheta?: number;
  readonly partialRotaryFactor?: number;
}

/**
 * Reads `rope_theta`, `rope_scaling` and `rope_parameters` of a text config, old and new spelling.
 *
 * @throws ConfigError if the scaling is of a kind that Weft does not know
 */
export function readRope(
  section: Json,
  headDim: number,
  { ropeTheta = 10000, partialRotaryFactor = 1 }: RopeDefaults = {},
): RopeConfig {
  const parameters = (section['rope_parameters'] ?? section['rope_scaling'] ?? {}) as Json;
  const number = (key: string, fallback?: number): number => {
    const value = parameters[key] ?? section[key] ?? fallback;
    if (typeof value !== 'number')
      throw new ConfigError(
        `config.json: the rope field '${key}' is ${JSON.stringify(value)}, expected a number.`,
      );
    return value;
  };
  const rotaryDim = Math.trunc(headDim * number('partial_rotary_factor', partialRotaryFactor));
  const base = {
    ropeTheta: number('rope_theta', ropeTheta),
    rotaryDim,
    ...readSections(parameters['mrope_section'], rotaryDim),
  };
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

function readSections(section: unknown, rotaryDim: number): Pick<RopeConfig, 'mropeSection'> {
  if (section === undefined || section === null) return {};
  const sizes = Array.isArray(section) ? (section as number[]) : [];
  if (sizes.reduce((sum, size) => sum + size, 0) !== rotaryDim / 2)
    throw new ConfigError({
      message: `config.json: mrope_section is ${JSON.stringify(section)}, expected sizes that add up to ${rotaryDim / 2}.`,
      hint: 'They share out half the rotated channels of a head among time, rows and columns.',
    });
  return { mropeSection: sizes };
}

/** The `rope_parameters` of a text config, as transformers 5 spells them. */
export function ropeSection(
  { ropeTheta, rotaryDim, ropeScaling, mropeSection }: RopeConfig,
  headDim: number,
): Json {
  const share = rotaryDim / headDim;
  // Readers truncate the product, which rounding may have left just below the whole number.
  const factor = Math.trunc(headDim * share) === rotaryDim ? share : (rotaryDim + 0.5) / headDim;
  const base = {
    rope_theta: ropeTheta,
    ...(rotaryDim === headDim ? {} : { partial_rotary_factor: factor }),
    ...(mropeSection ? { mrope_section: mropeSection } : {}),
  };
  if (!ropeScaling) return { rope_type: 'default', ...base };
  if (ropeScaling.type === 'linear') return { rope_type: 'linear', ...base, factor: ropeScaling.factor };
  return {
    rope_type: 'llama3',
    ...base,
    factor: ropeScaling.factor,
    low_freq_factor: ropeScaling.lowFrequencyFactor,
    high_freq_factor: ropeScaling.highFrequencyFactor,
    original_max_position_embeddings: ropeScaling.originalMaxPositionEmbeddings,
  };
}
