import { llama } from '@weft/backbone-llama';
import { mlpConnector } from '@weft/connector-mlp';
import { patchMergerConnector } from '@weft/connector-patch-merger';
import { pixtralVision, pixtralVisionPresets } from '@weft/encoder-pixtral';
import { qwen2Vision, qwen2VisionPresets } from '@weft/encoder-qwen2-vl';
import { unifiedFusion } from '@weft/fusion-unified';
import { namedParameters } from '@weft/graph';
import { senseOf, type Json, type Model } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { compose } from './compose.js';
import { modelOf } from './recipes.js';
import { configOf } from './config-of.js';
import { readProcessor } from './processor-of.js';

describe('a composition with a tower of free resolution', () => {
  const backbone = {
    hiddenSize: 24,
    intermediateSize: 20,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
    numKeyValueHeads: 1,
    headDim: 16,
    rotaryDim: 16,
    vocabSize: 40,
    hiddenAct: 'silu' as const,
    rmsNormEps: 1e-5,
    ropeTheta: 1e4,
    tieWordEmbeddings: false,
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
  };
  const qwen2Tower = {
    ...qwen2VisionPresets['qwen2.5-vl'],
    hiddenSize: 16,
    intermediateSize: 20,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
    fullAttentionLayers: [],
  };
  const pixtralTower = {
    ...pixtralVisionPresets['pixtral-12b'],
    hiddenSize: 16,
    intermediateSize: 20,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
  };

  it.each([
    [
      'packed-patches',
      qwen2Vision(qwen2Tower),
      patchMergerConnector({ mergeSize: 2, norm: 'rms' }),
      { image_processor_type: 'Qwen2VLImageProcessor' },
    ],
    [
      'patch-rows',
      pixtralVision(pixtralTower),
      mlpConnector(),
      { image_processor_type: 'PixtralImageProcessor', image_break_token: '<br>', image_end_token: '<end>' },
    ],
  ] as const)(
    'is described by a config.json from which it is made again (%s)',
    async (_, encoder, connector, preprocessor) => {
      const model = compose({
        name: 'own',
        encoder,
        connector,
        backbone: llama(backbone),
        fusion: unifiedFusion(),
        processor: await readProcessor(preprocessor),
        imageTokenId: 39,
      });
      const again = await modelOf(JSON.parse(JSON.stringify(await configOf(model))) as Json);
      const shapes = ({ module }: Model) =>
        [...namedParameters(module)].map(([path, { shape }]) => [path, shape]);
      expect(shapes(again)).toEqual(shapes(model));
      const size = { width: 130, height: 70 };
      expect(senseOf(again, 'image')!.processor.place(size)).toEqual(
        senseOf(model, 'image')!.processor.place(size),
      );
    },
  );
});
