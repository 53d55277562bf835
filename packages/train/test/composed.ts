import { modelOf } from '@weft/models';
import type { Json, Model } from '@weft/spec';

/** A SigLIP of 2 x 2 patches and a Qwen2, joined by a fusion; a picture of one tile, unless it is wide. */
export async function composed(fusion: { readonly id: string; readonly config: Json }): Promise<Model> {
  const sizes = { hiddenSize: 12, intermediateSize: 20, numAttentionHeads: 2, hiddenAct: 'gelu' };
  return modelOf(
    {
      model_type: 'weft',
      encoder: {
        id: 'encoder-siglip',
        config: {
          ...sizes,
          numHiddenLayers: 1,
          numChannels: 3,
          imageSize: 8,
          patchSize: 4,
          layerNormEps: 1e-6,
          visionUseHead: false,
        },
      },
      connector: { id: 'connector-mlp' },
      backbone: {
        id: 'backbone-qwen2',
        config: {
          ...sizes,
          hiddenSize: 16,
          hiddenAct: 'silu',
          numHiddenLayers: 2,
          numKeyValueHeads: 1,
          headDim: 8,
          rotaryDim: 8,
          vocabSize: 20,
          rmsNormEps: 1e-6,
          ropeTheta: 1e4,
          tieWordEmbeddings: false,
          qkvBias: true,
          outputBias: false,
          mlpBias: false,
        },
      },
      fusion,
      image_token_id: 19,
    },
    {
      preprocessor: {
        image_processor_type: 'GotOcr2ImageProcessor',
        size: { height: 8, width: 8 },
        max_patches: 4,
      },
    },
  );
}

/** Method B, with a cross-attention layer before each of the two. */
export const crossed = { id: 'fusion-cross-attention', config: { every: 1 } } as const;
