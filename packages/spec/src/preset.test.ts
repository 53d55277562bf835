import { ConfigError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { configReader, resolvePreset } from './preset.js';

const presets = { small: { size: 1 }, large: { size: 2 } };

describe('resolvePreset', () => {
  it('finds a size by name, and takes a configuration as it is', () => {
    expect(resolvePreset('encoder', presets, 'large')).toEqual({ size: 2 });
    expect(resolvePreset('encoder', presets, { size: 3 })).toEqual({ size: 3 });
  });

  it('lists the presets when there is none of the name, names of Object.prototype included', () => {
    for (const name of ['giant', 'toString', '__proto__'])
      expect(() => resolvePreset('encoder', presets, name)).toThrow(
        `encoder has no preset '${name}'.\n  It has: small, large.`,
      );
    expect(() => resolvePreset('encoder', presets, 'giant')).toThrow(ConfigError);
  });
});

describe('configReader', () => {
  const read = configReader(
    {
      hidden_size: 768,
      hidden_act: 'gelu',
      use_cache: false,
      rope: { theta: 1 },
      wrong: null,
      huge: Number.NaN,
    },
    'text_config',
  );

  it('reads fields of each type, and takes the fallback where there is none', () => {
    expect(read.number('hidden_size', 1)).toBe(768);
    expect(read.string('hidden_act')).toBe('gelu');
    expect(read.boolean('use_cache', true)).toBe(false);
    expect(read.section('rope')).toEqual({ theta: 1 });
    expect([
      read.number('layers', 12),
      read.string('act', 'silu'),
      read.boolean('bias', true),
      read.section('vision', {}),
    ]).toEqual([12, 'silu', true, {}]);
    expect(read.raw('wrong')).toBeNull();
  });

  it('takes null for a field that is missing', () => {
    expect(read.number('wrong', 4)).toBe(4);
  });

  it('names the section, the field, what is there and what should be', () => {
    expect(() => read.number('hidden_act')).toThrow(
      'config.json: text_config.hidden_act is "gelu", expected a number.',
    );
    expect(() => read.number('layers')).toThrow(
      'config.json: text_config.layers is undefined, expected a number.',
    );
    expect(() => read.number('huge')).toThrow('expected a number');
    expect(() => read.string('hidden_size')).toThrow('expected a string');
    expect(() => read.boolean('hidden_size', true)).toThrow('expected true or false');
    expect(() => read.section('hidden_size')).toThrow('expected an object');
    expect(() => configReader({ list: [] }, 'config').section('list')).toThrow(ConfigError);
  });
});
