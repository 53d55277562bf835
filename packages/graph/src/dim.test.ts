import { ShapeError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import {
  addDims,
  broadcastShapes,
  countElements,
  dimNames,
  dimTerms,
  divideDims,
  evaluateDim,
  multiplyDims,
  printShape,
  sameShape,
} from './dim.js';

describe('sums and products of sizes', () => {
  it('are numbers when all sizes are', () => {
    expect(addDims(2, 3, 4)).toBe(9);
    expect(multiplyDims(2, 3, 4)).toBe(24);
    expect(addDims()).toBe(0);
    expect(multiplyDims()).toBe(1);
  });

  it('are the same string, whatever the order', () => {
    expect(addDims('past', 'sequence')).toBe(addDims('sequence', 'past'));
    expect(multiplyDims('tiles', 4, 'patches')).toBe(multiplyDims('patches', 'tiles', 4));
    expect(addDims(1, 'n')).toBe('n+1');
    expect(multiplyDims(4, 'patches')).toBe('4*patches');
  });

  it('collect equal terms, and cancel', () => {
    expect(addDims('n', 'n')).toBe('2*n');
    expect(addDims('n', multiplyDims(-1, 'n'))).toBe(0);
    expect(addDims('past', 'sequence', multiplyDims(-1, 'past'))).toBe('sequence');
    expect(addDims('n', -1)).toBe('n+-1');
  });

  it('multiply sums out, so that equal sizes are equal strings', () => {
    const total = addDims('past', 'sequence');
    expect(multiplyDims(2, total)).toBe(addDims(multiplyDims(2, 'past'), multiplyDims(2, 'sequence')));
    expect(multiplyDims('batch', total)).toBe(
      addDims(multiplyDims('sequence', 'batch'), multiplyDims('past', 'batch')),
    );
    expect(multiplyDims(0, 'n')).toBe(0);
  });

  it('take their own results as operands', () => {
    const product = multiplyDims(addDims('a', 'b'), addDims('a', -3));
    expect(evaluateDim(product, { a: 5, b: 2 })).toBe(14);
    expect(evaluateDim(addDims(product, product, 1), { a: 5, b: 2 })).toBe(29);
  });
});

describe('divideDims', () => {
  it('divides what is divisible for every size', () => {
    expect(divideDims(12, 4)).toBe(3);
    expect(divideDims('4*patches', 2)).toBe('2*patches');
    expect(divideDims(multiplyDims('batch', 'n', 6), multiplyDims('n', 2))).toBe('3*batch');
    expect(divideDims(multiplyDims('batch', addDims('a', 'b')), 'batch')).toBe('a+b');
    expect(divideDims(addDims('a', 'b'), addDims('a', 'b'))).toBe(1);
  });

  it('gives nothing where the quotient may be no whole number', () => {
    expect(divideDims(7, 2)).toBeUndefined();
    expect(divideDims('3*n', 2)).toBeUndefined();
    expect(divideDims('n', 'm')).toBeUndefined();
    expect(divideDims(addDims('n', 1), 'n')).toBeUndefined();
  });
});

describe('shapes', () => {
  it('broadcast like NumPy, symbols included', () => {
    expect(broadcastShapes(['batch', 1, 5], [3, 1], 'add')).toEqual(['batch', 3, 5]);
    expect(broadcastShapes([], ['n'], 'add')).toEqual(['n']);
    expect(broadcastShapes(['n', 1], ['n', 'm'], 'add')).toEqual(['n', 'm']);
  });

  it('do not broadcast sizes that may differ', () => {
    expect(() => broadcastShapes(['n'], ['m'], 'add')).toThrow(ShapeError);
    expect(() => broadcastShapes(['n', 2], ['n', 3], 'add')).toThrow(
      'add cannot broadcast [n, 2] with [n, 3].',
    );
  });

  it('count and compare', () => {
    expect(countElements(['batch', 3, 4])).toBe('12*batch');
    expect(countElements([])).toBe(1);
    expect(sameShape(['n', 2], ['n', 2])).toBe(true);
    expect(sameShape(['n', 2], ['n'])).toBe(false);
    expect(printShape(['batch', 3])).toBe('[batch, 3]');
  });

  it('list their names and terms', () => {
    const dim = addDims(multiplyDims(2, 'a', 'b'), 'a', 5);
    expect(dimNames(dim).toSorted()).toEqual(['a', 'b']);
    expect(dimTerms(dim)).toEqual(
      expect.arrayContaining([
        [2, ['a', 'b']],
        [1, ['a']],
        [5, []],
      ]),
    );
    expect(dimNames(7)).toEqual([]);
  });

  it('name the size that has no value', () => {
    expect(() => evaluateDim('4*patches', {})).toThrow("The size 'patches' has no value.");
  });
});
