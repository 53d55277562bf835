import { ConfigError, UnsupportedError } from '@weft/errors';
import { fittedTo } from '@weft/feeds';
import type { TensorData } from '@weft/graph';
import {
  part,
  senseOf,
  type ImagePlacement,
  type ImageProcessor,
  type Model,
  type Picture,
  type ProcessedImages,
  type Video,
} from '@weft/spec';
import { files } from '@weft/weights';
import type { LoadedModel } from './loaded-model.js';
import { buildPrompt, type Prompt } from './prompt.js';
import { check, hasShape, type Metadata, type Tensors, type VerifyCheck } from './verify-check.js';
import { readPicture } from './visuals.js';

/** Share of pixel values that may differ at all. */
const unequalShare = 1e-3;

/** `prompt.txt`, `image-*` and `video-*` through tokenizer and processors. */
export async function processorChecks(
  loaded: LoadedModel,
  golden: Tensors,
  metadata: Metadata,
): Promise<VerifyCheck[]> {
  const { folder, model } = loaded;
  const {
    expected_input_ids: ids,
    expected_image_patches: patches,
    expected_pixel_values: pixels = patches,
    expected_pixel_values_videos: videoPixels,
  } = golden;
  if (!ids && !pixels && !videoPixels) return [];
  const pictures: Picture[] = [];
  for (const [name] of await numberedFiles(folder, /^image-(\d+)\.(png|jpe?g|webp)$/))
    pictures.push(await readPicture(files.join(folder, name), { backdrop: model.prompt.backdrop }));
  const videos = await readFrames(folder, Number(metadata['fps'] ?? 2));
  const checks: VerifyCheck[] = [];
  const [image, video] = [senseOf(model, 'image'), senseOf(model, 'video')];
  const placements = image && placedBySample(image.processor, pictures, golden['batch_num_images']);
  if (ids) {
    const text = await files.readText(files.join(folder, 'prompt.txt')).catch((cause: unknown) => {
      throw new ConfigError({
        message: 'The folder has expected_input_ids, but no prompt.txt.',
        where: folder,
        cause,
      });
    });
    const known = videos.length === 0 ? placements : undefined;
    const prompt = buildPrompt(loaded.parts, { prompt: text }, [...pictures, ...videos], known);
    const wanted = Array.from(ids.data as BigInt64Array, Number);
    const same = prompt.ids.filter((id, i) => id === wanted[i]).length;
    const isRow = hasShape(ids, [1, wanted.length]);
    checks.push(check('input_ids', isRow ? Math.max(wanted.length, prompt.ids.length) - same : Infinity, 0));
    const { expected_cross_attention_mask: mask } = golden;
    if (mask) checks.push(check('cross_attention_mask', maskDifference(mask, prompt), 0));
  }
  if (pixels && image) {
    const { processor } = image;
    const own = processor.process(pictures, placements);
    checks.push(
      ...pixelChecks(model, patches ? 'image_patches' : 'pixel_values', pixels, {
        own,
        uniform: (byte) =>
          processor.process(
            pictures.map((one) => filled(one, byte)),
            own.images,
          ),
      }),
      ...otherChecks(golden, own),
    );
  }
  if (videoPixels && video) {
    const process = (byte?: number): ProcessedImages =>
      video.processor.process(
        videos.map(({ frames, fps }) => ({
          fps,
          frames: byte === undefined ? frames : frames.map((one) => filled(one, byte)),
        })),
      );
    checks.push(
      ...pixelChecks(model, 'pixel_values_videos', videoPixels, { own: process(), uniform: process }),
    );
  }
  return checks;
}

/**
 * Placements of the pictures of a golden file. The reference tells samples of one prompt apart where it is given a plain
 * list of pictures: each is then one on its own, whatever the prompt says.
 *
 * @param counts pictures of each sample; all are one unless given
 */
function placedBySample(
  processor: ImageProcessor,
  pictures: readonly Picture[],
  counts: TensorData | undefined,
): ImagePlacement[] {
  const totals = counts
    ? Array.from(counts.data as BigInt64Array, Number).flatMap((count) =>
        Array.from({ length: count }, () => count),
      )
    : [];
  return pictures.map((picture, i) => processor.place(picture, i, totals[i] ?? pictures.length));
}

/** What the processor gives besides pixels. The measure is the number of values that differ. */
function otherChecks(golden: Tensors, { inputs }: ProcessedImages): VerifyCheck[] {
  return Object.entries(inputs).flatMap(([name, { data, shape }]) => {
    const wanted = golden[`expected_${name}`];
    if (!wanted || name === 'pixel_values' || name === 'image_patches') return [];
    const isAlike = withoutOnes(wanted.shape).join() === withoutOnes(shape).join();
    if (!isAlike) return [check(name, Infinity, 0)];
    const different = Array.from(wanted.data as Float32Array).filter((value, i) => value !== data[i]);
    return [check(name, different.length, 0)];
  });
}

/** A shape without axes of 1 before others: references may have an axis for the rows of a batch. */
const withoutOnes = (shape: readonly number[]): readonly number[] =>
  shape.slice(shape.findIndex((size) => size !== 1));

/** Tiles whose visibility differs from the reference's, over all tokens. */
function maskDifference({ data, shape }: TensorData, { ids, visible }: Prompt): number {
  const isOfRow = shape.length === 4 && shape[0] === 1 && shape[1] === ids.length;
  if (!isOfRow || visible?.length !== data.length) return Infinity;
  return visible.filter((one, i) => BigInt(one) !== (data as BigInt64Array)[i]).length;
}

/** Files whose names match, in the order of the numbers in their names. */
async function numberedFiles(
  folder: string,
  pattern: RegExp,
): Promise<readonly (readonly [name: string, ...numbers: readonly number[]])[]> {
  const names = await files.list(folder);
  if (!names)
    throw new UnsupportedError({
      message: 'The pictures of a golden file cannot be looked for on a server.',
      where: folder,
      hint: 'Verify the folder in Node.',
    });
  const found = names.flatMap((name) => {
    const match = pattern.exec(name);
    return match
      ? [
          [
            name,
            ...match
              .slice(1)
              .filter((text) => /^\d+$/.test(text))
              .map(Number),
          ] as const,
        ]
      : [];
  });
  return found.toSorted(([, ...a], [, ...b]) => {
    const at = a.findIndex((number, i) => number !== b[i]);
    return at < 0 ? 0 : a[at]! - b[at]!;
  });
}

/** Videos whose frames are `video-N-M.png`. */
async function readFrames(folder: string, fps: number): Promise<Video[]> {
  const videos: Picture[][] = [];
  for (const [name, number] of await numberedFiles(folder, /^video-(\d+)-(\d+)\.png$/))
    (videos[number!] ??= []).push(await readPicture(files.join(folder, name)));
  return videos.map((frames) => ({ frames, fps }));
}

const filled = ({ width, height }: Picture, byte: number): Picture => ({
  width,
  height,
  channels: 3,
  data: new Uint8Array(width * height * 3).fill(byte),
});

/**
 * Pixel values, with normalisation undone so that 1 is the range of a byte. What a byte becomes is asked of the
 * processor itself, by pictures of one colour: it is linear in each channel.
 */
function pixelChecks(
  model: Model,
  name: string,
  reference: TensorData,
  { own, uniform }: { readonly own: ProcessedImages; readonly uniform: (byte: number) => ProcessedImages },
): VerifyCheck[] {
  const encoder = part(model, 'encoder');
  const wanted = encoder.prepare
    ? reference
    : fittedTo(encoder.inputs[name]!, name, reference, senseOf(model, 'image')!.processor);
  const actual = own.inputs[name]!.data as Float32Array;
  const expected = wanted.data as Float32Array;
  if (actual.length !== expected.length || own.inputs[name]!.shape.join() !== wanted.shape.join())
    return [check(name, Infinity, 1 / 255), check(`${name}-unequal`, 1, unequalShare)];

  const [black, white] = [uniform(0), uniform(255)].map(
    ({ inputs }) => inputs[name]!.data as Float32Array,
  ) as [Float32Array, Float32Array];
  const ranges = white.map((value, i) => Math.abs(value - black[i]!));
  const widest = ranges.reduce((most, range) => Math.max(most, range), 0);
  let [largest, unequal] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    // Borders have one colour in all pictures.
    const difference = Math.abs(actual[i]! - expected[i]!) / (ranges[i]! || widest);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
    // Less than a thousandth of a byte is the rounding of float32.
    if (!(difference <= 1e-3 / 255)) unequal++;
  }
  // A difference of one byte comes out as 1/255 with the same rounding.
  return [
    check(name, largest, 1.001 / 255),
    check(`${name}-unequal`, unequal / expected.length, unequalShare),
  ];
}
