import { llama } from '@weft/backbone-llama';
import { mlpConnector } from '@weft/connector-mlp';
import { clip } from '@weft/encoder-clip';
import { ConfigError } from '@weft/errors';
import { unifiedFusion } from '@weft/fusion-unified';
import {
  overlapCrops,
  packedVideo,
  readClipProcessor,
  readOverlapCrops,
  readPackedPatches,
  singleTile,
} from '@weft/processors';
import type { PartDefinition } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { compose, type Composition } from './compose.js';
import { findDefinition } from './parts.js';

const backbone = llama({
  hiddenSize: 8,
  intermediateSize: 12,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  numKeyValueHeads: 2,
  headDim: 4,
  rotaryDim: 4,
  ropeTheta: 10000,
  vocabSize: 20,
  hiddenAct: 'silu',
  rmsNormEps: 1e-5,
  tieWordEmbeddings: false,
  qkvBias: false,
  outputBias: false,
  mlpBias: false,
});
const encoder = clip({
  hiddenSize: 8,
  intermediateSize: 12,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  numChannels: 3,
  imageSize: 8,
  patchSize: 4,
  layerNormEps: 1e-5,
  hiddenAct: 'gelu',
});
const tile = (side: number) => singleTile(readClipProcessor({ size: side, crop_size: side }));
const made = (changes: Partial<Composition> = {}) =>
  compose({
    name: 'by-hand',
    encoder,
    connector: mlpConnector(),
    backbone,
    fusion: unifiedFusion(),
    processor: tile(8),
    imageTokenId: 7,
    ...changes,
  });
const video = (changes: object) => ({
  processor: packedVideo(readPackedPatches({})),
  placeholder: '<video>',
  tokenId: 8,
  ...changes,
});

describe('a composition', () => {
  it('is refused for a token that has no embedding, of pictures or of videos, or one for both', () => {
    expect(made).not.toThrow();
    for (const imageTokenId of [20, -1, 1.5, Number.NaN])
      expect(() => made({ imageTokenId })).toThrow(
        `The image token ${imageTokenId} is outside of the backbone's 20`,
      );
    for (const tokenId of [20, -3, 0.5])
      expect(() => made({ video: video({ tokenId }) })).toThrow(`The video token ${tokenId} is outside of`);
    expect(() => made({ video: video({ tokenId: 7 }) })).toThrow(/Pictures and videos have one token: 7/);
    expect(() => made({ video: video({ placeholder: '<image>' }) })).toThrow(ConfigError);
  });

  it('is refused for a processor whose tiles or tensors are not the encoder’s', () => {
    expect(() => made({ processor: tile(12) })).toThrow(
      /makes tiles of 12 x 12 pixels, but the encoder .* takes 8 x 8/,
    );
    expect(() => made({ processor: overlapCrops(readOverlapCrops({ image_patch_size: 2 })) })).toThrow(
      ConfigError,
    );
    const other = { ...tile(8)({ encoder, connector: { countTokens: () => 4 }, placeholder: '<image>' }) };
    const nameless = () => ({ ...other, process: () => ({ inputs: {}, images: [] }) });
    expect(() => made({ processor: nameless as never })).toThrow(
      /processor-single-tile does not prepare pictures for encoder-clip: it gives , but the encoder takes pixel_values too/,
    );
    const failing = () => ({
      ...other,
      process: () => {
        throw new TypeError('no plan');
      },
    });
    expect(() => made({ processor: failing as never })).toThrow(
      /does not prepare pictures for encoder-clip: no plan/,
    );
  });

  it.each([
    [{ prompt: { backdrop: 'black' } }, 'prompt: backdrop is "black", expected one of white'],
    [{ prompt: { chattemplate: 'x' } }, "Did you mean 'chatTemplate'?"],
    [{ prompt: { form: { before: 'a', after: 'b' } } }, 'prompt: form.mostImages is missing'],
    [{ cross: { marks: 'tiles' } }, 'cross: marks is "tiles", expected one of picture, tile'],
    [
      { cross: { tags: { place: 'both', ids: [] } } },
      'cross: tags.place is "both", expected one of text, keys',
    ],
  ])('is refused for a rule that is not known: %j', (changes, message) => {
    expect(() => made(changes as never)).toThrow(message);
  });

  it('is refused for two parts of one id', async () => {
    const own = {
      id: 'encoder-own',
      kind: 'encoder',
      create: () => encoder,
      presets: {},
      source: encoder.source,
    };
    const parts = [own, { ...own }] as unknown as PartDefinition[];
    await expect(findDefinition('encoder', 'encoder-own', { parts })).rejects.toThrow(
      "2 of the parts that were given are called encoder 'encoder-own'",
    );
    expect((await findDefinition('encoder', 'encoder-own', { parts: parts.slice(1) })).id).toBe(
      'encoder-own',
    );
  });
});
