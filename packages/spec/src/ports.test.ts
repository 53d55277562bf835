import { ConfigError } from '@weft/errors';
import { module } from '@weft/graph';
import { describe, expect, it } from 'vitest';
import type { ImageSense, Model } from './model.js';
import { findPart, part, senseOf, sensePartsOf } from './ports.js';

const named = (id: string) => module(id, {}, {}, { facts: () => ({ id }) });
const image = {
  kind: 'image',
  placeholder: '<image>',
  tokenId: 7,
  encoder: 'encoder',
  connector: 'connector',
} as ImageSense;
const model = {
  name: 'ported',
  module: module('Model', { encoder: named('eye'), connector: named('nerve'), backbone: named('brain') }, {}),
  senses: [image],
} as unknown as Model;

describe('the ports of a model', () => {
  it('look parts up in the tree, so that another tree has other parts', () => {
    expect(part(model, 'backbone').id).toBe('brain');
    const tree = model.module.withParts({ ...model.module.parts, backbone: named('other') });
    expect(part({ ...model, module: tree }, 'backbone').id).toBe('other');
  });

  it('say which parts there are when one is asked for that is not', () => {
    expect(findPart(model, 'arranger')).toBeUndefined();
    expect(findPart(model, 'toString')).toBeUndefined();
    expect(() => part(model, 'arranger')).toThrow(ConfigError);
    expect(() => part(model, 'arranger')).toThrow(
      /ported has no part 'arranger'[^]*It has: encoder, connector, backbone\./,
    );
  });

  it('find the sense of a kind, and the parts that it goes through', () => {
    expect(senseOf(model, 'image')).toBe(image);
    expect(senseOf(model, 'video')).toBeUndefined();
    const { encoder, connector, arranger } = sensePartsOf(model, image);
    expect([encoder.id, connector.id, arranger]).toEqual(['eye', 'nerve', undefined]);
    expect(() => sensePartsOf(model, { ...image, arranger: 'arranger' })).toThrow(/no part 'arranger'/);
  });
});
