import { namedParameters, slice, trace } from '@weft/graph';
import { checkGolden, testDefinition, testVisionEncoder } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { readSiglipConfig, siglip, siglipPart, siglipPresets, type SiglipConfig } from './siglip.js';

const fixture = (name: string) => new URL(`./__fixtures__/${name}`, import.meta.url);

const tiny: SiglipConfig = {
  hiddenSize: 10,
  intermediateSize: 13,
  numHiddenLayers: 3,
  numAttentionHeads: 2,
  numChannels: 3,
  imageSize: 11,
  patchSize: 5,
  hiddenAct: 'gelu_pytorch_tanh',
  layerNormEps: 1e-6,
  visionUseHead: true,
};

/** LLaVA-OneVision's tower: one block fewer, no pooling head. */
const withoutHead = () =>
  siglip({ ...siglipPresets['so400m-patch14-384'], numHiddenLayers: 26, visionUseHead: false });

testVisionEncoder({
  tiny: () => siglip(tiny, { featureLayers: [0, -2] }),
  unread: {
    'encoder.layers.2': 'it comes after the last layer whose states are read',
    post_layernorm: 'it stands in checkpoints, and norms what the pooling head reads',
    head: 'it stands in checkpoints, and pools all patches for contrastive training',
  },
  variants: {
    'the last layer': () => siglip(tiny),
    'no pooling head': () => siglip({ ...tiny, visionUseHead: false }, { featureLayers: [0, -2] }),
    'its last norm': () => siglip(tiny, { postNorm: true }),
    'pictures larger than its table': () => siglip(tiny, { featureLayers: [0, -2], inputSize: 16 }),
    'another activation': () => siglip({ ...tiny, hiddenAct: 'quick_gelu' }, { featureLayers: [0, -2] }),
    'larger norms': () => siglip({ ...tiny, layerNormEps: 1e-2 }, { featureLayers: [0, -2] }),
  },
  create: () => siglip('so400m-patch14-384'),
  checkpoint: fixture('siglip-so400m-patch14-384.header.json'),
  golden: [
    {
      file: fixture('siglip.safetensors'),
      model: (config) => siglip(readSiglipConfig(config), { featureLayers: [0, 1, 2, -1] }),
      outputs: (encoder, inputs) => {
        const states = encoder.encode(inputs).hiddenStates;
        const size = encoder.hiddenSize / 4;
        return Object.fromEntries(
          [0, 1, 2, 3].map((i) => [`hidden_states.${i}`, slice(states, 2, i * size, (i + 1) * size)]),
        );
      },
    },
    {
      file: fixture('siglip.safetensors'),
      model: (config) => siglip(readSiglipConfig(config), { postNorm: true }),
      outputs: (encoder, inputs) => ({ last_hidden_state: encoder.encode(inputs).hiddenStates }),
    },
  ],
  sizes: [
    {
      name: 'base-patch16-224',
      create: () => siglip('base-patch16-224'),
      parameters: 92_884_224,
      tensors: 208,
    },
    {
      name: 'base-patch16-384',
      create: () => siglip('base-patch16-384'),
      parameters: 93_176_064,
      tensors: 208,
    },
    {
      name: 'large-patch16-384',
      create: () => siglip('large-patch16-384'),
      parameters: 316_283_904,
      tensors: 400,
    },
    {
      name: 'so400m-patch14-224',
      create: () => siglip('so400m-patch14-224'),
      parameters: 427_680_704,
      tensors: 448,
    },
    {
      name: 'so400m-patch14-384',
      create: () => siglip('so400m-patch14-384'),
      parameters: 428_225_600,
      tensors: 448,
    },
    { name: "LLaVA-OneVision's tower", create: withoutHead, parameters: 397_747_744, tensors: 421 },
  ],
});

describe('siglip after its last norm', () => {
  testVisionEncoder({ tiny: () => siglip({ ...tiny, visionUseHead: false }, { postNorm: true }) });
});

describe('siglip', () => {
  it("pools like the reference's attention head", async () => {
    const worst = await checkGolden({
      file: fixture('siglip.safetensors'),
      model: (config) => siglip(readSiglipConfig(config)),
      outputs: (encoder, inputs) => ({ pooler_output: encoder.pool(encoder.encode(inputs).hiddenStates) }),
    });
    expect(worst).toBeLessThan(1e-5);
  });

  it('names the presets it has', () => {
    const message = `encoder-siglip has no preset 'giant'.\n  It has: ${Object.keys(siglipPresets).join(', ')}.`;
    expect(() => siglip('giant' as never)).toThrow(message);
  });

  it('has one position for each whole patch', () => {
    const encoder = siglip('so400m-patch14-384');
    expect(encoder.grid).toEqual([27, 27]);
    expect(namedParameters(encoder).get('embeddings.position_embedding.weight')?.shape).toEqual([
      27 * 27,
      1152,
    ]);
  });

  it('spends nothing on the pooling head when only features are asked for', () => {
    const encoder = siglip(tiny);
    const graph = trace(encoder, encoder.inputs, (inputs) => ({
      features: encoder.encode(inputs).hiddenStates,
    }));
    expect([...graph.parameters.keys()].filter((path) => /^(head|post_layernorm)/.test(path))).toEqual([]);
  });

  it('reads a config, and names the field that is wrong', () => {
    expect(readSiglipConfig({ image_size: 384 })).toMatchObject({
      imageSize: 384,
      patchSize: 16,
      visionUseHead: true,
    });
    expect(() => readSiglipConfig({ vision_use_head: 1 })).toThrow(
      /vision_config\.vision_use_head is 1, expected true or false/,
    );
  });
});

testDefinition(siglipPart, {
  configs: [
    tiny,
    { ...tiny, visionUseHead: false, featureLayers: [-1], postNorm: false, inputSize: tiny.imageSize },
  ],
  unwritable: [
    { ...tiny, featureLayers: [0, -2] },
    { ...tiny, postNorm: true },
    { ...tiny, inputSize: 2 * tiny.imageSize },
  ],
});
