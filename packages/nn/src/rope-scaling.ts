import { ConfigError } from '@weft/errors';
import {
  cast,
  constant,
  div,
  less,
  maximum,
  mul,
  pow,
  reciprocal,
  reshape,
  sub,
  where,
  type Value,
} from '@weft/graph';
import type { FrequencyRule } from '@weft/spec';

/** Every frequency divided by the same number. */
export interface LinearScaling {
  readonly type: 'linear';
  readonly factor: number;
}

/** The first pairs of channels turn as they would without scaling, each divided by the same number; the others stay. */
export interface ProportionalScaling {
  readonly type: 'proportional';
  readonly factor: number;
  /** Pairs of channels that turn, at most half of those of a head. */
  readonly turningPairs: number;
}

/** NTK: texts beyond the trained length get a larger base, the longer the larger. */
export interface DynamicScaling {
  readonly type: 'dynamic';
  readonly factor: number;
  /** Tokens up to which nothing changes. */
  readonly maxPositionEmbeddings: number;
}

/** YaRN (Peng et al. 2023): short waves stay, long ones are divided by the factor, a ramp lies between them. */
export interface YarnScaling {
  readonly type: 'yarn';
  readonly factor: number;
  /** Tokens that the model was trained with before. */
  readonly originalMaxPositionEmbeddings: number;
  /** On cosines and sines. */
  readonly attentionFactor: number;
  /** Turns within the trained length from which on a wave stays as it is. */
  readonly betaFast: number;
  /** Turns up to which a wave is divided by the whole factor. */
  readonly betaSlow: number;
  /** Whether the ends of the ramp are whole numbers. */
  readonly truncate: boolean;
}

/** LongRoPE (Ding et al. 2024): one list of factors for texts up to the trained length, another for longer ones. */
export interface LongRopeScaling {
  readonly type: 'longrope';
  /** Divisors of the frequencies, one for each. */
  readonly shortFactor: readonly number[];
  readonly longFactor: readonly number[];
  /** On cosines and sines, of short texts too. */
  readonly attentionFactor: number;
  /** Tokens up to which a text is short. */
  readonly originalMaxPositionEmbeddings: number;
  /** Whether a text model reads a text anew once it has grown long, so that all its keys have the long factors. */
  readonly readsAnew?: boolean | undefined;
}

/** Llama 3.1: short waves stay, long ones are divided by the factor, those between are mixed. */
export interface Llama3Scaling {
  readonly type: 'llama3';
  readonly factor: number;
  readonly lowFrequencyFactor: number;
  readonly highFrequencyFactor: number;
  readonly originalMaxPositionEmbeddings: number;
}

/** Stretching of the frequencies for longer contexts, by its `rope_type` in transformers 5.18. */
export type RopeScaling =
  | LinearScaling
  | ProportionalScaling
  | DynamicScaling
  | YarnScaling
  | LongRopeScaling
  | Llama3Scaling;

/** What frequencies are made of. */
export interface FrequencyConfig {
  readonly ropeTheta: number;
  /** Channels of a head that the frequencies are spread over; an odd number is rounded up to pairs that turn. */
  readonly rotaryDim: number;
  readonly ropeScaling?: RopeScaling | undefined;
}

const f = Math.fround;

/** `base ** (2j / R)` for each pair of channels, in float32 steps like the reference. */
const wavesOf = (base: number, rotaryDim: number): Float32Array =>
  exponentsOf(rotaryDim).map((exponent) => f(base) ** exponent);

/** Channels that no head has; a file may state any number, of which a list would be made. */
const mostChannels = 65_536;

/** @throws ConfigError if there are more channels than any head has */
function exponentsOf(rotaryDim: number): Float32Array {
  if (rotaryDim > mostChannels)
    throw new ConfigError({
      message: `A head has ${rotaryDim} channels that turn by position, expected ${mostChannels} at most.`,
      hint: 'Heads have hidden_size / num_attention_heads channels, or head_dim.',
    });
  return Float32Array.from({ length: Math.ceil(rotaryDim / 2) }, (_, j) => f(2 * j) / rotaryDim);
}

/**
 * Frequencies in radians per token, half as many as channels turn, in float32 steps like the reference. Of scalings that
 * look at the length of the text they are those of a short one.
 */
export function ropeFrequencies({ ropeTheta, rotaryDim, ropeScaling }: FrequencyConfig): Float32Array {
  const waves = wavesOf(ropeTheta, rotaryDim);
  const plain = waves.map((wave) => 1 / wave);
  switch (ropeScaling?.type) {
    case undefined:
    case 'dynamic':
      return plain;
    case 'linear':
      return plain.map((frequency) => frequency / f(ropeScaling.factor));
    case 'proportional':
      return plain.map((frequency, j) =>
        j < ropeScaling.turningPairs ? frequency / f(ropeScaling.factor) : 0,
      );
    case 'longrope':
      return divided(waves, ropeScaling.shortFactor);
    case 'llama3':
      return plain.map((frequency) => llama3Frequency(frequency, ropeScaling));
    case 'yarn':
      return yarnFrequencies(waves, { ropeTheta, rotaryDim, scaling: ropeScaling });
  }
}

const divided = (waves: Float32Array, factors: readonly number[]): Float32Array =>
  waves.map((wave, j) => 1 / f(f(factors[j]!) * wave));

function llama3Frequency(
  frequency: number,
  {
    factor,
    lowFrequencyFactor: low,
    highFrequencyFactor: high,
    originalMaxPositionEmbeddings: context,
  }: Llama3Scaling,
): number {
  const wavelength = f((2 * Math.PI) / frequency);
  if (wavelength > f(context / low)) return f(frequency / f(factor));
  if (wavelength < f(context / high)) return frequency;
  const smooth = f(f(f(f(context) / wavelength) - f(low)) / f(high - low));
  return f(f(f(f(1 - smooth) * frequency) / f(factor)) + f(smooth * frequency));
}

function yarnFrequencies(
  waves: Float32Array,
  {
    ropeTheta,
    rotaryDim,
    scaling,
  }: { readonly ropeTheta: number; readonly rotaryDim: number; readonly scaling: YarnScaling },
): Float32Array {
  const { factor, betaFast, betaSlow, truncate, originalMaxPositionEmbeddings: context } = scaling;
  const pairOf = (turns: number): number =>
    (rotaryDim * Math.log(context / (turns * 2 * Math.PI))) / (2 * Math.log(ropeTheta));
  const [first, last] = [pairOf(betaFast), pairOf(betaSlow)];
  const low = Math.max(truncate ? Math.floor(first) : first, 0);
  const end = Math.min(truncate ? Math.ceil(last) : last, rotaryDim - 1);
  // The ramp has a width, as in the reference.
  const high = end === low ? end + 0.001 : end;
  return waves.map((wave, j) => {
    const ramp = Math.min(Math.max(f(f(j - f(low)) / f(high - low)), 0), 1);
    const kept = f(1 - ramp);
    const interpolation = f(1 / f(f(factor) * wave));
    return f(f(interpolation * f(1 - kept)) + f(f(1 / wave) * kept));
  });
}

/** What cosines and sines are multiplied by. */
export const attentionFactorOf = ({ ropeScaling }: Pick<FrequencyConfig, 'ropeScaling'>): number =>
  ropeScaling && 'attentionFactor' in ropeScaling ? ropeScaling.attentionFactor : 1;

/**
 * Tokens of the longest text that stretched positions are for. Files keep either the trained or the stretched length as
 * `max_position_embeddings`; what they were stretched from tells which where it is known.
 *
 * @param most `max_position_embeddings`
 */
export function longestText({ ropeScaling }: Pick<FrequencyConfig, 'ropeScaling'>, most: number): number {
  switch (ropeScaling?.type) {
    case 'linear':
    case 'dynamic':
      return Math.max(most, most * ropeScaling.factor);
    case 'yarn':
      return Math.max(most, ropeScaling.originalMaxPositionEmbeddings * ropeScaling.factor);
    default:
      return most;
  }
}

/** How frequencies depend on the length of a text; `undefined` where they do not. */
export function frequencyRule({
  ropeScaling,
}: Pick<FrequencyConfig, 'ropeScaling'>): FrequencyRule | undefined {
  if (ropeScaling?.type === 'dynamic') {
    const { maxPositionEmbeddings: most } = ropeScaling;
    return { nameFor: (length) => (length > most ? `${length}` : '') };
  }
  if (ropeScaling?.type !== 'longrope') return undefined;
  const { originalMaxPositionEmbeddings: border, readsAnew = false } = ropeScaling;
  return {
    nameFor: (length) => (length > border ? 'long' : ''),
    ...(readsAnew ? { readsAnewBeyond: border } : {}),
  };
}

/**
 * Frequencies `[B, 1, R/2]` of each row by its length, for scalings that look at it; the same for all rows, `[R/2]`,
 * where they do not.
 *
 * @param lengths int64 `[B]`: tokens of each row
 */
export function frequenciesAt(config: FrequencyConfig, lengths: Value): Value {
  const { ropeTheta, rotaryDim, ropeScaling } = config;
  const short = constant(ropeFrequencies(config), 'float32');
  const ofRow = reshape(lengths, [lengths.shape[0]!, 1, 1]);
  if (ropeScaling?.type === 'longrope') {
    const long = divided(wavesOf(ropeTheta, rotaryDim), ropeScaling.longFactor);
    const border = Math.floor(ropeScaling.originalMaxPositionEmbeddings);
    return where(less(border, ofRow), constant(long, 'float32'), short);
  }
  if (ropeScaling?.type !== 'dynamic') return short;
  const { factor, maxPositionEmbeddings: most } = ropeScaling;
  const length = cast(maximum(ofRow, most), 'float32');
  const growth = sub(div(mul(length, f(factor)), most), f(factor - 1));
  const base = mul(pow(growth, f(rotaryDim / (rotaryDim - 2))), f(ropeTheta));
  const long = reciprocal(pow(base, constant(exponentsOf(rotaryDim), 'float32')));
  // Short texts keep the very numbers that they have without scaling.
  return where(less(most, ofRow), long, short);
}
