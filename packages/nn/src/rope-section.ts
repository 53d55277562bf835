import { ConfigError, type TakeNotice } from '@weft/errors';
import type { Json } from '@weft/spec';
import type { RopeScaling } from './rope-scaling.js';
import type { RopeConfig } from './rotary.js';

/** How a family of decoders reads its rope section, and what it takes where its `config.json` says nothing. */
export interface RopeFamily {
  readonly ropeTheta?: number;
  /** `max_position_embeddings` of the family's class. */
  readonly maxPositionEmbeddings?: number;
  /** `original_max_position_embeddings` of the family's class, if it has that field beside the section. */
  readonly originalMaxPositionEmbeddings?: number;
  /**
   * Share of the channels that turn, for families that turn a part of each head. Others turn whole heads, and ignore a
   * `partial_rotary_factor`.
   */
  readonly partialRotaryFactor?: number;
  /** Whether an odd number of channels is rounded up, as the family's class cuts heads by the angles it has. */
  readonly roundsUp?: boolean;
  /** Types that the family's class takes; all of `ropeTypes` unless given. */
  readonly ropeTypes?: readonly RopeType[];
  /** Older names of types. */
  readonly ropeTypeNames?: Readonly<Record<string, RopeType>>;
}

/** All types of transformers 5.18 that decoders have. */
export const ropeTypes = [
  'default',
  'linear',
  'dynamic',
  'yarn',
  'longrope',
  'llama3',
  'proportional',
] as const;
export type RopeType = (typeof ropeTypes)[number];

/** Fields that each type reads beside `rope_theta`, `partial_rotary_factor` and the sections of M-RoPE. */
const fieldsOf: Readonly<Record<RopeType, readonly string[]>> = {
  default: [],
  linear: ['factor'],
  dynamic: ['factor'],
  yarn: [
    'factor',
    'original_max_position_embeddings',
    'attention_factor',
    'beta_fast',
    'beta_slow',
    'mscale',
    'mscale_all_dim',
    'truncate',
  ],
  longrope: ['short_factor', 'long_factor', 'factor', 'attention_factor', 'original_max_position_embeddings'],
  llama3: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
  proportional: ['factor'],
};

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The rope section of a text config as it counts: `rope_scaling` of older files where it says anything, as in
 * transformers 5.18, else `rope_parameters`; empty without either. This is the one place that chooses between the two.
 *
 * @throws ConfigError if the section is no object
 */
export function ropeFields(section: Json, notice?: TakeNotice): Json {
  for (const key of ['rope_scaling', 'rope_parameters']) {
    const value = section[key] ?? {};
    if (!isObject(value))
      throw new ConfigError({
        message: `config.json: ${key} is ${JSON.stringify(value)}, expected an object.`,
        hint: 'It holds rope_type, rope_theta and the fields of the type.',
      });
  }
  const [older = {}, newer = {}] = [section['rope_scaling'], section['rope_parameters']] as (
    | Json
    | null
    | undefined
  )[];
  if (!older || Object.keys(older).length === 0) return newer ?? {};
  if (newer && Object.keys(newer).length > 0 && JSON.stringify(older) !== JSON.stringify(newer))
    notice?.({
      where: 'config.json: rope_parameters',
      message: 'It is not applied: rope_scaling stands beside it and counts, as in transformers.',
    });
  return older;
}

/** Fields of a section with what they may be, for messages. */
class RopeReader {
  readonly #rope: Json;
  readonly #section: Json;

  constructor(rope: Json, section: Json) {
    this.#rope = rope;
    this.#section = section;
  }

  raw(key: string): unknown {
    return this.#rope[key];
  }

  /** A number of the section, else of the config beside it, else the default. */
  either(key: string, fallback?: number): number {
    return this.#number(key, this.#rope[key] ?? this.#section[key] ?? fallback);
  }

  /** A number of the config beside the section. */
  beside(key: string, fallback?: number): number | undefined {
    const value = this.#section[key] ?? fallback;
    return value === undefined ? undefined : this.positive(key, value);
  }

  number(key: string, fallback?: number): number {
    return this.#number(key, this.#rope[key] ?? fallback);
  }

  positive(key: string, value: unknown = this.#rope[key]): number {
    const number = this.#number(key, value);
    return number > 0 ? number : this.wrong(key, number, 'a number above 0');
  }

  /** Positive numbers, as many as pairs of channels turn. */
  factors(key: string, count: number): number[] {
    const value = this.#rope[key];
    const fits =
      Array.isArray(value) &&
      value.length === count &&
      value.every((one) => typeof one === 'number' && Number.isFinite(one) && one > 0);
    return fits
      ? (value as number[])
      : this.wrong(
          key,
          value,
          `a list of ${count} numbers above 0, one for each pair of channels that turns`,
        );
  }

  #number(key: string, value: unknown): number {
    return typeof value === 'number' && Number.isFinite(value) ? value : this.wrong(key, value, 'a number');
  }

  wrong(key: string, value: unknown, wanted: string): never {
    throw new ConfigError(
      `config.json: the rope field '${key}' is ${JSON.stringify(value)}, expected ${wanted}.`,
    );
  }
}

/**
 * Reads the rotary positions of a text config as transformers 5.18 standardizes them: `rope_parameters`, or
 * `rope_theta`, `partial_rotary_factor` and `rope_scaling` of older files.
 *
 * @param headDim channels of a head
 * @param notice takes what the section says and the type does not read
 * @throws ConfigError if the type is unknown or not one of the family, or naming the field that cannot be
 */
export function readRope(
  section: Json,
  headDim: number,
  family: RopeFamily = {},
  notice?: TakeNotice,
): RopeConfig {
  const rope = ropeFields(section, notice);
  const read = new RopeReader(rope, section);
  const type = typeOf(rope, family);
  const share = read.either('partial_rotary_factor', family.partialRotaryFactor ?? 1);
  const rotaryDim = channelsOf(read, { type, headDim, share, family, notice });
  const ropeTheta = read.positive(
    'rope_theta',
    rope['rope_theta'] ?? section['rope_theta'] ?? family.ropeTheta ?? 10000,
  );
  tellUnread(rope, type, notice);
  const ropeScaling = readScaling(read, { type, rotaryDim, ropeTheta, share, family });
  return {
    ropeTheta,
    rotaryDim,
    ...readSections(rope['mrope_section'], rotaryDim),
    ...(ropeScaling ? { ropeScaling } : {}),
  };
}

function typeOf(rope: Json, { ropeTypes: known = ropeTypes, ropeTypeNames = {} }: RopeFamily): RopeType {
  const layers = Object.keys(rope).find((key) => isObject(rope[key]));
  if (layers !== undefined)
    throw new ConfigError({
      message: `config.json: the rope section names other positions for some layers ('${layers}').`,
      hint: 'The layers of this family of decoders share one: rope_type, rope_theta and the fields of the type.',
    });
  const named = 'rope_type' in rope ? rope['rope_type'] : (rope['type'] ?? 'default');
  const type = Object.hasOwn(ropeTypeNames, String(named)) ? ropeTypeNames[String(named)] : named;
  const found = known.find((one) => one === type);
  if (found) return found;
  throw new ConfigError({
    message: `config.json: rope scaling of type '${String(named)}' is not known${ropeTypes.includes(type as RopeType) ? ' in this family' : ''}.`,
    hint: `Known: ${[...known, ...Object.keys(ropeTypeNames)].join(', ')}.`,
  });
}

/** Channels that the frequencies are spread over, as the family's class of transformers cuts heads. */
function channelsOf(
  read: RopeReader,
  {
    type,
    headDim,
    share,
    family,
    notice,
  }: {
    readonly type: RopeType;
    readonly headDim: number;
    readonly share: number;
    readonly family: RopeFamily;
    readonly notice: TakeNotice | undefined;
  },
): number {
  const turnsPart = family.partialRotaryFactor !== undefined;
  if (!(share > 0 && share <= 1))
    read.wrong('partial_rotary_factor', share, 'a number above 0 and at most 1');
  const isWhole = Math.trunc(headDim * share) === headDim;
  // The class gives angles for the part only, or for whole heads only, and cannot apply them to the other.
  if (!isWhole && (type === 'proportional' ? turnsPart : !turnsPart && type !== 'default'))
    throw new ConfigError({
      message: `config.json: partial_rotary_factor is ${share} and rope_type is '${type}', which this family cannot have together.`,
      hint: turnsPart
        ? 'It cuts heads by the factor; proportional positions are for whole heads.'
        : 'It turns whole heads; leave the factor out.',
    });
  if (!isWhole && !turnsPart && type === 'default')
    notice?.({
      where: 'config.json: partial_rotary_factor',
      message: `It is ${share} and is not applied: this family turns whole heads, as in transformers.`,
    });
  const channels = turnsPart ? Math.trunc(headDim * share) : headDim;
  const mayBeOdd = turnsPart && family.roundsUp === true && type === 'default' && channels < headDim;
  if (channels < 1 || (channels % 2 !== 0 && !mayBeOdd))
    throw new ConfigError({
      message: `config.json: ${channels} of the ${headDim} channels of a head would turn, expected an even number above 0.`,
      hint: 'Channels turn in pairs; see head_dim and partial_rotary_factor.',
    });
  return channels;
}

function tellUnread(rope: Json, type: RopeType, notice: TakeNotice | undefined): void {
  const read = [
    'rope_type',
    'type',
    'rope_theta',
    'partial_rotary_factor',
    'mrope_section',
    ...fieldsOf[type],
  ];
  for (const [key, value] of Object.entries(rope))
    if (!read.includes(key) && value !== null)
      notice?.({
        where: `config.json: rope_parameters.${key}`,
        message: `It is not applied: positions of type '${type}' do not read it.`,
      });
}

function readScaling(
  read: RopeReader,
  {
    type,
    rotaryDim,
    ropeTheta,
    share,
    family,
  }: {
    readonly type: RopeType;
    readonly rotaryDim: number;
    readonly ropeTheta: number;
    readonly share: number;
    readonly family: RopeFamily;
  },
): RopeScaling | undefined {
  const most = (): number =>
    read.beside('max_position_embeddings', family.maxPositionEmbeddings) ??
    read.wrong('max_position_embeddings', undefined, 'a number');
  // A field of that name beside the section counts before the one in it, as in transformers.
  const originalMaxPositionEmbeddings = (): number =>
    read.beside('original_max_position_embeddings', family.originalMaxPositionEmbeddings) ??
    read.positive('original_max_position_embeddings', read.raw('original_max_position_embeddings') ?? most());
  const ratioOr = (key: string): number =>
    read.raw(key) === null || read.raw(key) === undefined
      ? most() / originalMaxPositionEmbeddings()
      : read.positive(key);
  switch (type) {
    case 'default':
      return undefined;
    case 'linear':
      return { type, factor: read.positive('factor') };
    case 'proportional':
      return {
        type,
        factor: read.raw('factor') === undefined ? 1 : read.positive('factor'),
        turningPairs: Math.floor((share * rotaryDim) / 2),
      };
    case 'dynamic':
      if (rotaryDim === 2)
        throw new ConfigError({
          message: "config.json: rope_type is 'dynamic', but only 2 channels of a head turn.",
          hint: 'Its base grows with channels / (channels - 2); expected at least 4.',
        });
      return { type, factor: read.positive('factor'), maxPositionEmbeddings: most() };
    case 'llama3':
      return {
        type,
        factor: read.positive('factor'),
        lowFrequencyFactor: read.positive('low_freq_factor'),
        highFrequencyFactor: read.positive('high_freq_factor'),
        originalMaxPositionEmbeddings: originalMaxPositionEmbeddings(),
      };
    case 'yarn': {
      if (read.raw('factor') === undefined)
        read.wrong('factor', undefined, 'a number, or null for the ratio of lengths');
      if (ropeTheta === 1) read.wrong('rope_theta', ropeTheta, 'another number than 1');
      const factor = ratioOr('factor');
      const truncate = read.raw('truncate');
      return {
        type,
        factor,
        originalMaxPositionEmbeddings: originalMaxPositionEmbeddings(),
        attentionFactor: yarnAttention(read, factor),
        // 0 means the default there.
        betaFast: read.number('beta_fast', 32) || 32,
        betaSlow: read.number('beta_slow', 1) || 1,
        // Null means no there, and only a field that is absent yes.
        truncate: truncate === undefined || Boolean(truncate),
      };
    }
    case 'longrope': {
      const pairs = rotaryDim / 2;
      const shortFactor = read.factors('short_factor', pairs);
      const longFactor = read.factors('long_factor', pairs);
      const border = originalMaxPositionEmbeddings();
      const factor = ratioOr('factor');
      const attentionFactor =
        read.raw('attention_factor') === null || read.raw('attention_factor') === undefined
          ? factor <= 1
            ? 1
            : Math.sqrt(1 + Math.log(factor) / Math.log(border))
          : read.number('attention_factor');
      if (!Number.isFinite(attentionFactor))
        read.wrong('original_max_position_embeddings', border, 'more than 1');
      return { type, shortFactor, longFactor, attentionFactor, originalMaxPositionEmbeddings: border };
    }
  }
}

/** Factor on cosines and sines: the one given, else by the paper, in which `mscale` and `mscale_all_dim` count as a pair. */
function yarnAttention(read: RopeReader, factor: number): number {
  const given = read.raw('attention_factor');
  if (given !== null && given !== undefined) return read.number('attention_factor');
  const scaled = (weight: number): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  const [mscale, all] = [read.number('mscale', 0), read.number('mscale_all_dim', 0)];
  return mscale !== 0 && all !== 0 ? scaled(mscale) / scaled(all) : scaled(1);
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

/** The share of a head that readers truncate to the whole number again: rounding may have left it just below. */
function shareOf(channels: number, headDim: number): number {
  const share = channels / headDim;
  return Math.trunc(headDim * share) === channels ? share : (channels + 0.5) / headDim;
}

/** The `rope_parameters` of a text config, as transformers 5 spells them. */
export function ropeSection(
  { ropeTheta, rotaryDim, ropeScaling, mropeSection }: RopeConfig,
  headDim: number,
): Json {
  const base = {
    rope_theta: ropeTheta,
    ...(rotaryDim === headDim ? {} : { partial_rotary_factor: shareOf(rotaryDim, headDim) }),
    ...(mropeSection ? { mrope_section: mropeSection } : {}),
  };
  return {
    rope_type: ropeScaling?.type ?? 'default',
    ...base,
    ...(ropeScaling ? scalingFields(ropeScaling, rotaryDim) : {}),
  };
}

function scalingFields(scaling: RopeScaling, rotaryDim: number): Json {
  switch (scaling.type) {
    case 'linear':
    case 'dynamic':
      return { factor: scaling.factor };
    case 'proportional':
      return {
        factor: scaling.factor,
        // Half a channel more, so that rounding down finds the number of pairs again.
        partial_rotary_factor: Math.min(1, (2 * scaling.turningPairs + 0.5) / rotaryDim),
      };
    case 'llama3':
      return {
        factor: scaling.factor,
        low_freq_factor: scaling.lowFrequencyFactor,
        high_freq_factor: scaling.highFrequencyFactor,
        original_max_position_embeddings: scaling.originalMaxPositionEmbeddings,
      };
    case 'yarn':
      return {
        factor: scaling.factor,
        original_max_position_embeddings: scaling.originalMaxPositionEmbeddings,
        attention_factor: scaling.attentionFactor,
        beta_fast: scaling.betaFast,
        beta_slow: scaling.betaSlow,
        truncate: scaling.truncate,
      };
    case 'longrope':
      return {
        short_factor: scaling.shortFactor,
        long_factor: scaling.longFactor,
        attention_factor: scaling.attentionFactor,
        original_max_position_embeddings: scaling.originalMaxPositionEmbeddings,
      };
  }
}
