import { expect, it } from 'vitest';
import { isNestedDeeper, mostJsonLevels } from './index.js';

const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

it('tells data that is nested too deep, however deep it is', () => {
  expect(
    [nested(1), nested(200), { a: { b: [1, 'c', null] } }, 5, null].map((one) => isNestedDeeper(one)),
  ).toEqual([false, false, false, false, false]);
  expect(
    [nested(mostJsonLevels + 2), nested(5000), { a: [{ b: nested(300) }] }].map((one) => isNestedDeeper(one)),
  ).toEqual([true, true, true]);
});
