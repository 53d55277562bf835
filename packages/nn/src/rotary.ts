import { ConfigError, ShapeError } from '@weft/errors';
import {
  add,
  cast,
  concat,
  constant,
  cos,
  currentPath,
  expand,
  mul,
  printShape,
  reduceMax,
  reshape,
  sin,
  slice,
  type Dim,
  type Value,
} from '@weft/graph';
import {
  attentionFactorOf,
  frequenciesAt,
  frequencyRule,
  ropeFrequencies,
  type FrequencyConfig,
} from './rope-scaling.js';

/** Rotary embedding of a decoder, as `config.json` gives it. */
export interface RopeConfig extends FrequencyConfig {
  /**
   * Channels of each head that the frequencies are spread over. As many turn; of an odd number, which Phi 3 may have, one
   * more.
   */
  readonly rotaryDim: number;
  /**
   * Frequencies in turn for the axes of a position, as many as given; together `rotaryDim / 2`. For M-RoPE, whose
   * positions have a time, a row and a column: the first for time, the next for rows, the next for columns.
   */
  readonly mropeSection?: readonly number[] | undefined;
  /** Whether neighbouring channels turn together (`2j`, `2j + 1`), as in native checkpoints; not unless given. */
  readonly ropeInterleaved?: boolean | undefined;
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
 * @param lengths int64 `[B]`: tokens of each row, for frequencies that depend on them; the largest position of the row
 * and one more unless given
 * @throws ConfigError if the positions have axes and the config has no sections for them
 */
export function rotary(positionIds: Value, config: RopeConfig, lengths?: Value): RotaryAngles {
  const axes = positionIds.rank === 2 ? reshape(positionIds, [1, ...positionIds.shape]) : positionIds;
  const frequencies = frequencyRule(config)
    ? frequenciesAt(config, lengths ?? lengthsOf(axes))
    : ropeFrequencies(config);
  const angles = axialRotary(axes, sectionsOf(positionIds, config, frequencies));
  const factor = attentionFactorOf(config);
  if (factor === 1) return angles;
  return { cos: mul(angles.cos, Math.fround(factor)), sin: mul(angles.sin, Math.fround(factor)) };
}

function sectionsOf(
  { rank }: Value,
  { mropeSection }: RopeConfig,
  frequencies: RotarySection['frequencies'],
): RotarySection[] {
  if (rank === 2) return [{ axis: 0, frequencies }];
  if (!mropeSection)
    throw new ConfigError({
      message: 'Positions of several axes need an mropeSection.',
      hint: 'Give the decoder positions [batch, sequence].',
    });
  let taken = 0;
  // Some configs list the three sections twice.
  return mropeSection.map((size, i) => {
    const [start, end] = [taken, (taken += size)];
    return {
      axis: i % 3,
      frequencies: ArrayBuffer.isView(frequencies)
        ? frequencies.subarray(start, end)
        : slice(frequencies, -1, start, end),
    };
  });
}

/** Largest position of each row and one more, int64 `[B]`, of positions `[A, B, L]`. */
function lengthsOf(positions: Value): Value {
  // Of floats, as few execution providers compare whole numbers; they are exact up to 16 million.
  return cast(add(reduceMax(cast(positions, 'float32'), [0, 2]), 1), 'int64');
}

/** Frequencies that turn with one axis of a position. */
export interface RotarySection {
  readonly axis: number;
  /** Radians per step: the same for all rows, or `[B, 1, n]` for positions `[A, B, L]`. */
  readonly frequencies: Float32Array | Value;
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
    return mul(
      cast(along, 'float32'),
      ArrayBuffer.isView(frequencies) ? constant(frequencies, 'float32') : frequencies,
    );
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
