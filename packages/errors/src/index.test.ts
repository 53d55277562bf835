import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  InputError,
  isWeftError,
  SessionError,
  ShapeError,
  UnsupportedError,
  WeftError,
  WeightError,
} from './index.js';

describe('an error', () => {
  it('says what, where and what to do, one line each', () => {
    const error = new ShapeError({
      message: 'linear takes 4 channels, but x has 8.',
      where: 'layers.3.mlp',
      hint: 'Is a connector missing?',
    });
    expect(error.message).toBe(
      'linear takes 4 channels, but x has 8.\n  at layers.3.mlp\n  Is a connector missing?',
    );
    expect(error).toMatchObject({ where: 'layers.3.mlp', hint: 'Is a connector missing?' });
  });

  it('leaves out what it was not told', () => {
    expect(new ConfigError('Nothing would learn.').message).toBe('Nothing would learn.');
    expect(new ConfigError({ message: 'Nothing would learn.', hint: 'Widen trainable.' }).message).toBe(
      'Nothing would learn.\n  Widen trainable.',
    );
    expect('cause' in new InputError('no picture')).toBe(false);
  });

  it('keeps its cause', () => {
    const cause = new Error('ENOENT');
    expect(new WeightError({ message: 'The file cannot be read.', cause }).cause).toBe(cause);
  });

  it('has the name of its class and a code', () => {
    const classes = { ShapeError, WeightError, ConfigError, InputError, UnsupportedError, SessionError };
    const codes = Object.values(classes).map((Class) => new Class('wrong').code);
    expect(Object.entries(classes).map(([name, Class]) => new Class('wrong').name === name)).toEqual(
      codes.map(() => true),
    );
    expect(new Set(codes).size).toBe(codes.length);
  });
});

describe('isWeftError', () => {
  it('recognises errors of every class, and of another copy of the package', () => {
    const copy = Object.assign(new Error('from another install'), { [Symbol.for('weft.error')]: true });
    expect(
      [new WeftError('WEFT_TRACE', 'outside of trace()'), new InputError('wrong'), copy].map(isWeftError),
    ).toEqual([true, true, true]);
  });

  it('is false for everything else', () => {
    expect(
      [new Error('wrong'), null, undefined, 'WEFT_INPUT', { code: 'WEFT_INPUT' }].map(isWeftError),
    ).not.toContain(true);
  });
});
