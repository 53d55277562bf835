import { checkGolden, testConnector, testDefinition } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { resamplerConnector, resamplerPart } from './resampler.js';

const tiny = { numLatents: 3, depth: 2, numHeads: 2, headDim: 4, mlpRatio: 2 };

testConnector({
  tiny: resamplerConnector({ ...tiny, depth: 1 }),
  variants: {
    'two layers': resamplerConnector(tiny),
  },
  context: { visionSize: 6, textSize: 5, grid: [2, 3] },
  names: {
    latents: [3, 6],
    'layers.0.0.norm_media.weight': [6],
    'layers.0.0.norm_media.bias': [6],
    'layers.0.0.norm_latents.weight': [6],
    'layers.0.0.norm_latents.bias': [6],
    'layers.0.0.to_q.weight': [8, 6],
    'layers.0.0.to_kv.weight': [16, 6],
    'layers.0.0.to_out.weight': [6, 8],
    'layers.0.1.0.weight': [6],
    'layers.0.1.0.bias': [6],
    'layers.0.1.1.weight': [12, 6],
    'layers.0.1.3.weight': [6, 12],
    'norm.weight': [6],
    'norm.bias': [6],
    'proj.weight': [5, 6],
  },
});

describe('resamplerConnector', () => {
  it('gives the rows of a PyTorch module written from the paper', async () => {
    const difference = await checkGolden({
      file: new URL('./__fixtures__/resampler.safetensors', import.meta.url),
      model: () => resamplerConnector(tiny)({ visionSize: 6, textSize: 5, grid: null }),
      outputs: (connector, { features }) => ({
        rows: connector.connect({ hiddenStates: features!, grid: null }),
      }),
    });
    expect(difference).toBeLessThan(1e-5);
  });

  it("gives as many tokens as it has queries, whatever the grid; Flamingo's 64 unless told otherwise", () => {
    const connector = resamplerConnector()({ visionSize: 1024, textSize: 2048, grid: null });
    expect([connector.countTokens([16, 16]), connector.countTokens([24, 24])]).toEqual([64, 64]);
    expect(connector.config).toEqual({ numLatents: 64, depth: 6, numHeads: 8, headDim: 64, mlpRatio: 4 });
  });
});

testDefinition(resamplerPart, { configs: [{}, tiny], context: { visionSize: 6, textSize: 5, grid: [2, 3] } });
