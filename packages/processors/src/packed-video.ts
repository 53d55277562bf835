import { InputError } from '@weft/errors';
import {
  checkConfig,
  type PartDefinition,
  type ProcessorFactory,
  type Video,
  type VideoProcessor,
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
  videoLimits,
  writePackedPatches,
  type PackedPatchesConfig,
} from './packing.js';
import { plannedProcessor } from './planned.js';
import type { Size } from './tiles.js';

const id = 'processor-packed-video';

/**
 * Qwen2-VL's way with videos: that with pictures, but the frames of a patch follow one another in time. The last frame
 * fills up an odd number.
 *
 * @throws ConfigError if the configuration states sizes that are not the encoder's
 */
export const packedVideo =
  (config: PackedPatchesConfig): ProcessorFactory<VideoProcessor> =>
  (context) => {
    checkConfig(packedVideoPart, config);
    const packing = packingOf(config, context);
    const { patchSize, temporalPatchSize, mergeSize } = packing;
    const { minPixels, maxPixels, maxVideoTokens } = config;
    const mostPixels =
      maxVideoTokens === null ? null : Math.trunc(maxVideoTokens * (patchSize * mergeSize) ** 2 * 0.9);
    const sizeOf = (size: Size, frames: number, index: number): Size => {
      const share = mostPixels === null ? maxPixels : Math.floor((mostPixels * temporalPatchSize) / frames);
      const most =
        mostPixels === null ? maxPixels : Math.max(Math.min(maxPixels, share), Math.trunc(minPixels * 1.05));
      return targetOf(size, { ...config, maxPixels: most }, packing, `Video ${index}`);
    };
    return plannedProcessor<Video, VideoSize, VisualLayout>(
      {
        noun: 'video',
        fields: ['width', 'height', 'frames', 'fps'],
        sizeOf: videoSizeOf,
        written: ({ width, height, frames, fps }) =>
          `${frames} frames of ${width} x ${height} pixels, ${fps} a second`,
      },
      {
        id,
        config,
        plan: ({ frames, fps, ...size }, index) => {
          if (!(frames >= 1)) throw new InputError({ message: `Video ${index} has no frames.` });
          if (!(fps > 0))
            throw new InputError({
              message: `Video ${index} has ${fps} frames a second, expected more than 0.`,
            });
          const moments = Math.ceil(frames / temporalPatchSize);
          const interval = temporalPatchSize / fps;
          const grid = gridOf(sizeOf(size, frames, index), packing);
          return { kind: 'video', frames: moments, ...grid, interval };
        },
        describe: (layout) => describeLayout(layout, context),
        inputs: (videos, layouts) => {
          const frames = videos.map(({ frames: pictures }, i) => {
            const target = pixelSizeOf(layouts[i]!, packing);
            return pictures.map((picture) => pixelsOf(picture, target, config));
          });
          const { patches, grids } = packAll(frames, layouts, packing);
          const seconds = Float32Array.from(layouts, ({ interval }) => interval!);
          return {
            pixel_values_videos: patches,
            video_grid_thw: grids,
            second_per_grid_ts: { dtype: 'float32', shape: [seconds.length], data: seconds },
          };
        },
      },
    );
  };

type VideoSize = Parameters<VideoProcessor['place']>[0];

function videoSizeOf({ frames, fps }: Video, index: number): VideoSize {
  const [first] = frames;
  if (!first) throw new InputError({ message: `Video ${index} has no frames.` });
  const { width, height } = first;
  const other = frames.findIndex((frame) => frame.width !== width || frame.height !== height);
  if (other >= 0)
    throw new InputError({
      message: `Frame ${other} of video ${index} is ${frames[other]!.width} x ${frames[other]!.height} pixels, but the first is ${width} x ${height}.`,
      hint: 'All frames of a video have one size.',
    });
  return { width, height, frames: frames.length, fps };
}

export const packedVideoPart: PartDefinition<'processor', PackedPatchesConfig> = {
  id,
  kind: 'processor',
  create: (config) => packedVideo(checkConfig(packedVideoPart, config)),
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
    code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/qwen2_vl/video_processing_qwen2_vl.py',
  },
  types: ['Qwen2VLVideoProcessor', 'Qwen2_5_VLVideoProcessor'],
  read: (section) => readPackedPatches(section, videoLimits),
  write: (config) => ({ video_processor_type: 'Qwen2VLVideoProcessor', ...writePackedPatches(config) }),
};
