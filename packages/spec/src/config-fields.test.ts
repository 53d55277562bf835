import { ConfigError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { checkConfig, closestName, type ConfigFields } from './config-fields.js';

interface Tower {
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly eps?: number;
  readonly act: string;
  readonly classToken: 'drop' | 'keep';
  readonly layers: readonly number[];
  readonly grid: readonly [number, number] | null;
  readonly resizing: { readonly to: 'own' } | { readonly to: 'edge'; readonly edge: number };
  readonly queries: Readonly<Record<string, number>>;
}

const fields: ConfigFields<Tower> = {
  hiddenSize: 'count',
  numHiddenLayers: 'layers',
  eps: { optional: 'positive' },
  act: 'activation',
  classToken: { oneOf: ['drop', 'keep'] },
  layers: { list: 'whole' },
  grid: { nullable: { list: 'count', length: 2 } },
  resizing: { by: 'to', sections: { own: {}, edge: { edge: 'count' } } },
  queries: { record: 'count' },
};
const right: Tower = {
  hiddenSize: 8,
  numHiddenLayers: 2,
  act: 'gelu',
  classToken: 'drop',
  layers: [-1, 0],
  grid: null,
  resizing: { to: 'edge', edge: 4 },
  queries: { 16: 2 },
};
const tried = (changes: object) => () => checkConfig({ id: 'encoder-x', fields }, { ...right, ...changes });

describe('checkConfig', () => {
  it('gives back what is right, whatever optional fields it has', () => {
    expect(tried({})()).toEqual(right);
    expect(
      tried({ eps: 1e-6, grid: [2, 3], resizing: { to: 'own' }, queries: {}, layers: [] }),
    ).not.toThrow();
    expect(tried({ eps: undefined })).not.toThrow();
  });

  it.each([
    [{ hiddenSize: '8' }, 'hiddenSize is "8", expected a whole number from 1 to 2147483648'],
    [{ hiddenSize: 0.5 }, 'hiddenSize is 0.5, expected'],
    [{ hiddenSize: undefined }, 'hiddenSize is missing, expected'],
    [
      { numHiddenLayers: 2 ** 53 },
      'numHiddenLayers is 9007199254740992, expected a whole number from 0 to 1024',
    ],
    [{ eps: null }, 'eps is null, expected a number above 0'],
    [{ eps: Number.NaN }, 'eps is null, expected a number above 0'],
    [{ act: 'gelo' }, 'act is "gelo", expected an activation: gelu, gelu_pytorch_tanh'],
    [{ classToken: 'kept' }, 'classToken is "kept", expected one of drop, keep'],
    [{ layers: null }, 'layers is null, expected a list'],
    [{ layers: [0, 'last'] }, 'layers[1] is "last", expected a whole number'],
    [{ grid: [2] }, 'grid is [2], expected a list of 2'],
    [{ resizing: { to: 'squeezed' } }, 'resizing.to is "squeezed", expected one of own, edge'],
    [{ resizing: { to: 'edge' } }, 'resizing.edge is missing'],
    [{ resizing: { to: 'own', edge: 4 } }, "there is no field 'resizing.edge'"],
    [{ queries: { 16: 0 } }, 'queries.16 is 0, expected'],
  ])('names the field, what is there and what should be: %j', (changes, message) => {
    expect(tried(changes)).toThrow(ConfigError);
    expect(tried(changes)).toThrow(`encoder-x: ${message}`);
  });

  it('names the closest field to one that it does not know, those of Object.prototype included', () => {
    expect(tried({ hidenSize: 8 })).toThrow("there is no field 'hidenSize'.\n  Did you mean 'hiddenSize'?");
    expect(tried({ constructor: 1 })).toThrow("there is no field 'constructor'.\n  Fields are hiddenSize");
    expect(() => checkConfig({ id: 'x', fields }, JSON.parse('{"__proto__": 1}') as never)).toThrow(
      "there is no field '__proto__'",
    );
  });

  it('refuses what is no configuration, and takes any of a part that states no fields', () => {
    for (const config of [null, 'large', [], 5])
      expect(() => checkConfig({ id: 'x', fields }, config as never)).toThrow('x: the configuration is');
    expect(checkConfig({ id: 'x' }, 'any')).toBe('any');
  });
});

describe('closestName', () => {
  it('is a name with few other letters, or none', () => {
    const known = ['dynamic-tiles', 'split-tiles', 'single-tile'];
    expect(
      ['dynamic_tiles', 'Split-Tiles', 'singel-tile', 'canvas', ''].map((name) => closestName(name, known)),
    ).toEqual(['dynamic-tiles', 'split-tiles', 'single-tile', undefined, undefined]);
  });
});
