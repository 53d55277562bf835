import { ConfigError, NoticeList } from '@weft/errors';
import type { Json } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { readRope, ropeSection, type RopeFamily } from './rope-section.js';
import type { RopeConfig } from './rotary.js';

const llama3: RopeConfig = {
  ropeTheta: 500000,
  rotaryDim: 128,
  ropeScaling: {
    type: 'llama3',
    factor: 8,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalMaxPositionEmbeddings: 8192,
  },
};

/** Notices of a section, each `key: message`. */
function noticesOf(section: Json, family?: RopeFamily): string[] {
  const list = new NoticeList();
  readRope(section, 16, family, list.take);
  return list.all.map(({ where, message }) => `${where} ${message}`);
}

describe('readRope', () => {
  const scaling = {
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };

  it('reads the published spelling and that of transformers 5 alike', () => {
    const published = readRope(
      { rope_theta: 500000, rope_scaling: { rope_type: 'llama3', ...scaling } },
      128,
    );
    expect(published).toMatchObject(llama3);
    expect(
      readRope({ rope_parameters: { rope_type: 'llama3', rope_theta: 500000, ...scaling } }, 128),
    ).toEqual(published);
    expect(readRope({ rope_scaling: { type: 'linear', factor: 2 } }, 64)).toMatchObject({
      ropeTheta: 10000,
      rotaryDim: 64,
      ropeScaling: { type: 'linear', factor: 2 },
    });
  });

  it('turns a part of the channels where the config says so and the family can', () => {
    expect(readRope({ partial_rotary_factor: 0.5 }, 80, { partialRotaryFactor: 1 }).rotaryDim).toBe(40);
    expect(readRope({ partial_rotary_factor: 0.5 }, 80).rotaryDim).toBe(80);
    expect(noticesOf({ partial_rotary_factor: 0.5 })).toEqual([
      expect.stringContaining('partial_rotary_factor It is 0.5 and is not applied'),
    ]);
    expect(() =>
      readRope({ rope_parameters: { rope_type: 'linear', factor: 2, partial_rotary_factor: 0.5 } }, 8),
    ).toThrow(/cannot have together.\n {2}It turns whole heads/);
  });

  it('takes an odd number of channels from families that round it up only', () => {
    const half = { partial_rotary_factor: 0.5 };
    expect(readRope(half, 10, { partialRotaryFactor: 1, roundsUp: true }).rotaryDim).toBe(5);
    expect(() => readRope(half, 10, { partialRotaryFactor: 1 })).toThrow(/5 of the 10 channels/);
    expect(() => readRope({}, 7)).toThrow(/7 of the 7 channels/);
  });

  it('reads the trained length from beside the section, from it, or from the longest', () => {
    const yarn = { rope_type: 'yarn', factor: 4 };
    const trained = (section: Json) =>
      readRope(section, 16, { maxPositionEmbeddings: 77 }).ropeScaling as {
        originalMaxPositionEmbeddings: number;
      };
    const within = { rope_parameters: { ...yarn, original_max_position_embeddings: 32 } };
    expect(trained({ ...within, original_max_position_embeddings: 16 })).toMatchObject({
      originalMaxPositionEmbeddings: 16,
    });
    expect(trained({ ...within, max_position_embeddings: 99 })).toMatchObject({
      originalMaxPositionEmbeddings: 32,
    });
    expect(trained({ rope_parameters: yarn, max_position_embeddings: 99 })).toMatchObject({
      originalMaxPositionEmbeddings: 99,
    });
    expect(trained({ rope_parameters: yarn })).toMatchObject({ originalMaxPositionEmbeddings: 77 });
  });

  it('lets rope_scaling count where it stands beside rope_parameters, and says so', () => {
    const both = { rope_scaling: { type: 'linear', factor: 2 }, rope_parameters: { rope_theta: 5 } };
    expect(readRope(both, 8)).toMatchObject({ ropeTheta: 10000, ropeScaling: { type: 'linear' } });
    expect(noticesOf(both)).toEqual([expect.stringContaining('rope_parameters It is not applied')]);
    expect(readRope({ ...both, rope_scaling: {} }, 8)).toEqual({ ropeTheta: 5, rotaryDim: 8 });
    expect(readRope({ ...both, rope_scaling: null }, 8)).toEqual({ ropeTheta: 5, rotaryDim: 8 });
  });

  it('tells which fields the type does not read', () => {
    expect(
      noticesOf({
        rope_parameters: { rope_type: 'linear', factor: 2, beta_fast: 3, high_freq_factor: null },
      }),
    ).toEqual([
      "config.json: rope_parameters.beta_fast It is not applied: positions of type 'linear' do not read it.",
    ]);
  });

  it('refuses scaling that it does not know, and fields that are no numbers', () => {
    expect(() => readRope({ rope_scaling: { type: 'su', factor: 4 } }, 128)).toThrow(
      /'su' is not known\.\n {2}Known: default, linear, dynamic, yarn, longrope, llama3, proportional/,
    );
    const family: RopeFamily = { ropeTypes: ['default', 'longrope'], ropeTypeNames: { su: 'longrope' } };
    expect(() => readRope({ rope_scaling: { type: 'linear', factor: 4 } }, 128, family)).toThrow(
      /'linear' is not known in this family\.\n {2}Known: default, longrope, su\./,
    );
    expect(() => readRope({ rope_scaling: { rope_type: null } }, 128)).toThrow(ConfigError);
    expect(() => readRope({ rope_theta: '10000' }, 128)).toThrow(ConfigError);
    expect(() => readRope({ rope_scaling: 'linear' }, 128)).toThrow(/expected an object/);
    expect(() => readRope({ rope_parameters: { full_attention: { rope_theta: 1e4 } } }, 128)).toThrow(
      /other positions for some layers \('full_attention'\)/,
    );
  });

  it.each([
    ['linear', {}, /'factor' is undefined, expected a number/],
    ['yarn', {}, /'factor' is undefined, expected a number, or null/],
    ['dynamic', { factor: 0 }, /'factor' is 0, expected a number above 0/],
    ['llama3', { factor: 2, low_freq_factor: 1 }, /'high_freq_factor' is undefined/],
    [
      'longrope',
      { short_factor: [1], long_factor: [1, 2] },
      /'short_factor' is \[1\], expected a list of 2 numbers/,
    ],
    [
      'longrope',
      { short_factor: [1, 2], long_factor: [1, '2'] },
      /'long_factor' is \[1,"2"\], expected a list/,
    ],
    [
      'longrope',
      { short_factor: [1, 2], long_factor: [1, 2], factor: 2, original_max_position_embeddings: 1 },
      /'original_max_position_embeddings' is 1, expected more than 1/,
    ],
  ])('names the field of %s that cannot be (%j)', (type, fields, message) => {
    expect(() =>
      readRope({ rope_parameters: { rope_type: type, ...fields } }, 4, { maxPositionEmbeddings: 8 }),
    ).toThrow(message);
  });

  it('refuses dynamic positions of two channels, whose base would grow without end', () => {
    const section = { rope_parameters: { rope_type: 'dynamic', factor: 2 } };
    expect(() => readRope(section, 2, { maxPositionEmbeddings: 8 })).toThrow(/only 2 channels/);
  });
});

describe('ropeSection', () => {
  const family: RopeFamily = { maxPositionEmbeddings: 64, partialRotaryFactor: 1 };
  it.each([
    { rope_type: 'linear', factor: 2.5 },
    { rope_type: 'dynamic', factor: 3 },
    {
      rope_type: 'yarn',
      factor: null,
      original_max_position_embeddings: 16,
      mscale: 0.7,
      mscale_all_dim: 1.1,
      beta_slow: 2,
    },
    { rope_type: 'yarn', factor: 4, truncate: null, attention_factor: 0.5 },
    {
      rope_type: 'longrope',
      short_factor: [1, 2, 3, 4],
      long_factor: [5, 6, 7, 8],
      original_max_position_embeddings: 16,
    },
    { rope_type: 'longrope', short_factor: [1, 2, 3, 4], long_factor: [5, 6, 7, 8], factor: 1 },
    { rope_type: 'proportional', factor: 1.5, partial_rotary_factor: 0.55 },
    { rope_type: 'proportional' },
  ])('writes what readRope reads again ($rope_type)', (fields) => {
    const read = (rope: Json) =>
      readRope(
        { rope_parameters: rope, max_position_embeddings: 64 },
        8,
        fields.rope_type === 'proportional' ? {} : family,
      );
    const config = read(fields);
    expect(read(ropeSection(config, 8))).toEqual(config);
  });

  it('writes the part that turns', () => {
    const config = readRope(
      { rope_parameters: { rope_type: 'linear', factor: 2, partial_rotary_factor: 0.4 } },
      80,
      family,
    );
    expect(config.rotaryDim).toBe(32);
    expect(readRope({ rope_parameters: ropeSection(config, 80) }, 80, family)).toEqual(config);
  });
});
