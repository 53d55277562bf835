import { qwen2 } from '@weft/backbone-qwen2';
import { mlpConnector } from '@weft/connector-mlp';
import { shuffleMlpConnector } from '@weft/connector-pixel-shuffle';
import { internVit } from '@weft/encoder-intern-vit';
import { siglip } from '@weft/encoder-siglip';
import { crossAttention } from '@weft/fusion-cross-attention';
import { hybrid } from '@weft/fusion-hybrid';
import { unifiedFusion } from '@weft/fusion-unified';
import { decompose, evaluateDim, substitute, type Graph } from '@weft/graph';
import { inference } from '@weft/onnx';
import { dynamicTiles, readDynamicTiles } from '@weft/processors';
import { describe, expect, it } from 'vitest';
import { compareFusions } from './compare-fusions.js';
import { compose } from './compose.js';
import { textGraph, visionGraph } from './graphs.js';
import { presetBackbone, presetConnector, presetEncoder } from './presets.js';

/** Operations of the products that stand in a graph as it is emitted without fused operators. */
function emittedFlops(graph: Graph, sizes: Readonly<Record<string, number>>): number {
  let flops = 0;
  for (const { op, inputs, outputs, attributes } of decompose(graph).nodes) {
    const isProduct =
      op === 'MatMul' || (op === 'Onnx' && 'type' in attributes && attributes.type === 'FusedMatMul');
    if (!isProduct) continue;
    const transposed = 'transposeA' in attributes && attributes.transposeA;
    const dims = [...outputs[0]!.shape, inputs[0]!.shape.at(transposed ? -2 : -1)!];
    flops += 2 * dims.reduce<number>((product, dim) => product * evaluateDim(dim, sizes), 1);
  }
  return flops;
}

const parts = {
  encoder: siglip({
    hiddenSize: 24,
    intermediateSize: 40,
    numHiddenLayers: 2,
    numAttentionHeads: 3,
    numChannels: 3,
    imageSize: 32,
    patchSize: 8,
    hiddenAct: 'gelu',
    layerNormEps: 1e-6,
    visionUseHead: false,
  }),
  backbone: qwen2({
    hiddenSize: 32,
    intermediateSize: 80,
    numHiddenLayers: 4,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    headDim: 8,
    rotaryDim: 8,
    vocabSize: 100,
    hiddenAct: 'silu',
    rmsNormEps: 1e-6,
    ropeTheta: 1e6,
    tieWordEmbeddings: true,
    qkvBias: true,
    outputBias: false,
    mlpBias: false,
  }),
  connector: mlpConnector(),
  processor: dynamicTiles(readDynamicTiles({ size: { height: 32, width: 32 }, max_patches: 6 })),
};
const published = {
  encoder: await presetEncoder('internvit-300m'),
  backbone: await presetBackbone('qwen2-7b'),
  connector: await presetConnector('shuffle-mlp'),
  processor: dynamicTiles(readDynamicTiles({ max_patches: 6 })),
};

describe('a comparison of the three fusions', () => {
  // Two tiles and the view of the whole, 16 tokens each; six and the view of the whole, 256 each.
  const small = { parts, layers: { every: 2 }, image: { width: 64, height: 32 }, perTile: 16, tiles: 3 };
  const large = {
    parts: published,
    layers: { every: 4 },
    image: { width: 1344, height: 896 },
    perTile: 256,
    tiles: 7,
  };
  const textTokens = 20;

  it.each([
    ['tiny parts', 'A', small],
    ['tiny parts', 'B', small],
    ['tiny parts', 'H', small],
    ['published parts', 'A', large],
    ['published parts', 'B', large],
    ['published parts', 'H', large],
  ] as const)('counts what the emitted graphs compute and keep (%s, method %s)', async (_, method, given) => {
    const { layers, image, perTile, tiles } = given;
    const answers = await compareFusions({
      ...given.parts,
      layers,
      images: [image],
      textTokens: [textTokens],
    });
    const fusion = { A: unifiedFusion(), B: crossAttention(layers), H: hybrid(layers) }[method];
    const placed = { A: tiles, B: 0, H: 1 }[method] * perTile;
    const crossTokens = { A: 0, B: tiles, H: tiles - 1 }[method] * perTile;
    const decoderTokens = textTokens + (method === 'B' ? 1 : placed);
    const { cases, parameters } = answers.find((answer) => answer.method === method)!;
    const [found] = cases;
    expect(found).toMatchObject({ tiles, decoderTokens, crossTokens });
    const model = compose({ ...given.parts, name: method, fusion, imageTokenId: 0 });
    const { graph, cache, held } = inference(textGraph(model));
    const vision = visionGraph(model);
    const sizes = { tiles, batch: 1, rows: 1, seen: crossTokens / perTile, past: 0 };
    const near = (actual: number, emitted: number) =>
      expect(Math.abs(actual / emitted - 1)).toBeLessThan(0.02);
    near(found!.flops.vision, emittedFlops(vision, sizes));
    near(found!.flops.prefill, emittedFlops(graph, { ...sizes, sequence: decoderTokens, images: placed }));
    near(found!.flops.decode, emittedFlops(graph, { ...sizes, sequence: 1, images: 0, past: decoderTokens }));
    if (held) {
      const whole = substitute(held.graph, { tile_embeds: vision.outputs['image_embeds']! });
      near(found!.flops.keys, emittedFlops(whole, sizes) - emittedFlops(vision, sizes));
    } else expect(found!.flops.keys).toBe(0);

    const numbers = (slots: readonly { readonly heads: number; readonly size: number }[]) =>
      slots.reduce((sum, { heads, size }) => sum + heads * size, 0);
    expect(found!.memory.tokens).toBe(2 * decoderTokens * numbers(cache));
    expect(found!.memory.images).toBe(2 * crossTokens * numbers(held?.slots ?? []));
    expect(parameters.fusion > 0).toBe(method !== 'A');
    expect(parameters.total).toBe(
      parameters.encoder + parameters.connector + parameters.fusion + parameters.backbone,
    );
  });

  it("shows NVLM's ordering for a large picture", async () => {
    const mlp = (intermediateSize: number | null) =>
      shuffleMlpConnector({ scaleFactor: 2, intermediateSize, bias: false });
    const nvlm = await compareFusions({
      encoder: internVit('internvit-6b'),
      backbone: qwen2('qwen2-72b'),
      connector: { A: mlp(29568), B: mlp(null), H: mlp(29568) },
      processor: dynamicTiles(readDynamicTiles({ max_patches: 6 })),
      layers: { every: 8 },
      images: [
        { width: 448, height: 448 },
        { width: 1344, height: 896 },
      ],
      textTokens: [1024],
    });
    // NVLM-D, NVLM-X, NVLM-H.
    const large = nvlm.map(({ cases }) => cases[1]!);
    expect(large.map(({ decoderTokens }) => decoderTokens)).toEqual([2816, 1025, 1280]);
    expect(large.map(({ crossTokens }) => crossTokens)).toEqual([0, 1792, 1536]);
    const costs = nvlm.map(({ cases }) => cases.map(({ flops }) => flops.prefill + flops.keys));
    const [d, x, h] = costs.map(([one, seven]) => seven! - one!) as [number, number, number];
    // What six tiles more cost.
    expect(x).toBeLessThan(h);
    expect(h).toBeLessThan(d / 5);
    expect(nvlm.map(({ parameters }) => parameters.fusion > 0)).toEqual([false, true, true]);
  });
});
