import { describe, expect, it } from 'vitest';
import { imageId, layout, modelWith, twoAxes, videoId } from '../test/model.js';
import { visualPlaces, visualTokenIds } from './places.js';
import { batchPositions } from './positions.js';

const rows = [
  { ids: [5, imageId, imageId, 6], columns: [0, 1, 2, 3] },
  { ids: [videoId, 7], columns: [2, 3] },
];

describe('batchPositions', () => {
  it('counts tokens from the first that is no padding, where the model has no rule', () => {
    const { positionIds, next } = batchPositions(modelWith(), rows, 4, []);
    expect(positionIds.shape).toEqual([2, 4]);
    expect([...positionIds.data].map(Number)).toEqual([0, 1, 2, 3, 0, 0, 0, 1]);
    expect(next).toEqual([4, 2]);
  });

  it('asks the rule for each row, with the layouts of its own pictures and videos', () => {
    const model = modelWith({ positions: twoAxes });
    const layouts = [layout('image', 1, 2), layout('video', 1, 1)];
    const { positionIds, next } = batchPositions(model, rows, 4, layouts);
    expect(positionIds.shape).toEqual([2, 2, 4]);
    expect([...positionIds.data].map(Number)).toEqual([0, 1, 2, 3, 0, 0, 0, 1, 0, 2, 2, 0, 0, 0, 1, 0]);
    expect(next).toEqual([9, 7]);
  });
});

describe('visualPlaces', () => {
  it('are the flat places of the tokens of pictures and videos', () => {
    expect(visualTokenIds(modelWith())).toEqual([imageId, videoId]);
    expect(visualPlaces(modelWith(), rows, 4)).toEqual([1, 2, 6]);
    expect(visualPlaces(modelWith({ hasVideo: false }), rows, 4)).toEqual([1, 2]);
  });
});
