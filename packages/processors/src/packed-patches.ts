import {
  checkConfig,
  type ImageProcessor,
  type PartDefinition,
  type ProcessorFactory,
  type VisualLayout,
} from '@weft/spec';
import {
  describeLayout,
  gridOf,
  packAll,
  packingOf,
  pixelSizeOf,
  pixelsOf,
  readPackedPatches,
  targetOf,
  writePackedPatches,
  type PackedPatchesConfig,
} from './packing.js';
import { plannedImages } from './planned.js';

const id = 'processor-packed-patches';

/**
 * Qwen2-VL's way with pictures: each keeps its shape, resized to whole blocks of patches, and all patches lie one after
 * another, block by block; a still picture fills the frames of a patch with itself.
 *
 * @throws ConfigError if the configuration states sizes that are not the encoder's
 */
export const packedPatches =
  (config: PackedPatchesConfig): ProcessorFactory<ImageProcessor> =>
  (context) => {
    checkConfig(packedPatchesPart, config);
    const packing = packingOf(config, context);
    return plannedImages<VisualLayout>({
      id,
      config,
      plan: (size, index) => ({
        kind: 'image',
        frames: 1,
        ...gridOf(targetOf(size, config, packing, `Picture ${index}`), packing),
      }),
      describe: (layout) => describeLayout(layout, context),
      inputs: (pictures, layouts) => {
        const frames = pictures.map((picture, i) => [
          pixelsOf(picture, pixelSizeOf(layouts[i]!, packing), config),
        ]);
        const { patches, grids } = packAll(frames, layouts, packing);
        return { pixel_values: patches, image_grid_thw: grids };
      },
    });
  };

export const packedPatchesPart: PartDefinition<'processor', PackedPatchesConfig> = {
  id,
  kind: 'processor',
  create: (config) => packedPatches(checkConfig(packedPatchesPart, config)),
  fields: {
    resize: 'flag',
    maxVideoTokens: { nullable: 'count' },
    stated: {
      section: {
        patchSize: { optional: 'count' },
        temporalPatchSize: { optional: 'count' },
        mergeSize: { optional: 'count' },
      },
    },
    filter: { oneOf: ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] },
    mean: { list: 'number' },
    std: { list: 'number' },
    rescale: 'positive',
    minPixels: 'count',
    maxPixels: 'count',
  },
  presets: {},
  source: {
    paper: 'https://arxiv.org/abs/2409.12191',
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/qwen2_vl/image_processing_qwen2_vl.py',
  },
  types: ['Qwen2VLImageProcessor', 'Qwen2_5_VLImageProcessor'],
  read: (section) => readPackedPatches(section),
  write: (config) => ({ image_processor_type: 'Qwen2VLImageProcessor', ...writePackedPatches(config) }),
};
