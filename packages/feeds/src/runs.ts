import { InputError } from '@weft/errors';
import type { TensorData, TensorType } from '@weft/graph';
import {
  part,
  senseOf,
  sensePartsOf,
  type EncoderRun,
  type ImageProcessor,
  type Model,
  type SenseParts,
  type VisionEncoder,
  type VisualLayout,
} from '@weft/spec';

export type Tensors = Readonly<Record<string, TensorData>>;

/** What the graph of a model's sight takes in one run, and how its features lie if the encoder says so. */
export type SightRun = Pick<EncoderRun, 'inputs'> & Partial<EncoderRun>;

/**
 * The runs of a model's sight for Hugging Face forward inputs, or for what its processor makes of pictures: one for all
 * tiles, or at free resolution one for each video and for each picture or tile of one. None without pictures.
 *
 * @throws InputError if the inputs do not fit each other or the encoder
 */
export function sightRuns(model: Model, inputs: Tensors): readonly SightRun[] {
  const sense = senseOf(model, 'image');
  if (!sense) return [];
  const parts = sensePartsOf(model, sense);
  const { encoder, connector, arranger } = parts;
  if (encoder.prepare)
    return encoder
      .prepare(inputs)
      .map((run) => ({ ...run, inputs: { ...run.inputs, ...connector.prepare?.(run.layout) } }));
  const arranged = arranger?.prepare(inputs);
  const expected = expectedInputs(parts, arranged ?? inputs, sense.processor);
  if (!arranger && sense.processor.zeroViews === 'padding') requireWholeViews(inputs, encoder);
  if (arranged) return [{ inputs: { ...arranged, ...expected } }];
  return expected ? [{ inputs: expected }] : [];
}

/**
 * Whether pictures of several prompts may pass the graph of sight in one run. At free resolution they differ in shape,
 * and an arranger's order is that of one prompt.
 */
export function sharesRuns(model: Model): boolean {
  const sense = senseOf(model, 'image');
  if (!sense) return true;
  const { encoder, arranger } = sensePartsOf(model, sense);
  return encoder.grid !== null && !arranger;
}

/** The inputs of several runs joined along their first axis, tiles. */
export function joinRuns(runs: readonly Tensors[]): Tensors {
  if (runs.length === 1) return runs[0]!;
  const names = Object.keys(runs[0] ?? {});
  return Object.fromEntries(
    names.map((name): [string, TensorData] => {
      const pieces = runs.map((inputs) => inputs[name]!);
      const { dtype, shape } = pieces[0]!;
      const size = pieces.reduce((sum, { data }) => sum + data.length, 0);
      const data = dtype === 'int64' ? new BigInt64Array(size) : new Float32Array(size);
      let at = 0;
      for (const piece of pieces) {
        data.set(piece.data as never, at);
        at += piece.data.length;
      }
      const tiles = pieces.reduce((sum, piece) => sum + piece.shape[0]!, 0);
      return [name, { dtype, shape: [tiles, ...shape.slice(1)], data } as TensorData];
    }),
  );
}

/** The runs of pictures and of videos in the order of their tokens: videos may stand between pictures. */
export function inTokenOrder(
  runs: readonly SightRun[],
  ids: readonly number[],
  model: Model,
): readonly SightRun[] {
  const [image, video] = [senseOf(model, 'image'), senseOf(model, 'video')];
  if (!image || !video) return runs;
  const waiting = {
    image: runs.filter(({ layout }) => layout?.kind !== 'video'),
    video: runs.filter(({ layout }) => layout?.kind === 'video'),
  };
  const ordered: SightRun[] = [];
  for (let at = 0; at < ids.length; at++) {
    const id = ids[at];
    const kind = id === image.tokenId ? 'image' : id === video.tokenId ? 'video' : undefined;
    const run = kind && waiting[kind].shift();
    if (!run) continue;
    ordered.push(run);
    at += tokensOf(model, run.layout) - 1;
  }
  // Those without a place come last, so that the counts are found to differ.
  return [...ordered, ...waiting.image, ...waiting.video];
}

/** Tokens that a run of such a layout takes up; 1 where the encoder says nothing of it. */
export const tokensOf = (model: Model, layout: VisualLayout | undefined): number =>
  layout ? layout.frames * part(model, 'connector').countTokens([layout.rows, layout.columns]) : 1;

function expectedInputs(
  { encoder, connector }: SenseParts,
  inputs: Tensors,
  processor: ViewRule,
): Tensors | undefined {
  const wanted = Object.entries({ ...encoder.inputs, ...connector.inputs });
  const found = wanted.filter(([name]) => name in inputs);
  if (found.length === 0) return undefined;
  if (found.length < wanted.length)
    throw new InputError({
      message: `The encoder takes ${wanted.map(([name]) => name).join(', ')}, but only ${found.map(([name]) => name).join(', ')} was given.`,
      where: 'forward',
    });
  return Object.fromEntries(
    found.map(([name, type]) => [name, fittedTo(type, name, inputs[name]!, processor)]),
  );
}

/** What a processor says of views of zeros. */
type ViewRule = Pick<ImageProcessor, 'zeroViews'>;

/**
 * A forward input as the graph takes it. Pictures that transformers lists by sample, `[B, V, 3, H, W]`, become
 * `[tiles, 3, H, W]`, without the views of zeros that fill up samples where the processor makes such.
 *
 * @throws InputError if tiles have another size than the graph takes
 */
export function fittedTo({ shape }: TensorType, name: string, given: TensorData, rule: ViewRule): TensorData {
  const tensor = withTiles(listed(given, shape.length, rule), shape.length);
  const fits =
    shape.length === tensor.shape.length &&
    shape.every((size, i) => typeof size === 'string' || size === tensor.shape[i]);
  if (!fits)
    throw new InputError({
      message: `${name} is [${given.shape.join(', ')}], but the encoder takes [${shape.join(', ')}].`,
      where: 'forward',
      hint: 'The size of the tiles in preprocessor_config.json and the one in config.json must agree.',
    });
  return tensor;
}

/** A tensor with one axis too few has no axis of tiles: it is one. */
const withTiles = (tensor: TensorData, rank: number): TensorData =>
  tensor.shape.length === rank - 1 ? { ...tensor, shape: [1, ...tensor.shape] } : tensor;

/** A tensor with one axis too many has samples and views, of which some may be padding. */
function listed(tensor: TensorData, rank: number, rule: ViewRule): TensorData {
  const { shape, data, dtype } = tensor;
  if (shape.length !== rank + 1) return tensor;
  const [samples = 0, views = 0, ...rest] = shape;
  if (rule.zeroViews !== 'padding') return { dtype, shape: [samples * views, ...rest], data } as TensorData;
  const kept = viewsOf(tensor, samples * views).filter(isSeen) as Float32Array[];
  const size = data.length / (samples * views);
  const joined = new (data.constructor as Float32ArrayConstructor)(kept.length * size);
  for (const [i, view] of kept.entries()) joined.set(view, i * size);
  return { dtype, shape: [kept.length, ...rest], data: joined };
}

const viewsOf = ({ data }: TensorData, count: number): TensorData['data'][] => {
  const size = data.length / count;
  return Array.from({ length: count }, (_, i) => data.subarray(i * size, (i + 1) * size));
};

const isSeen = (view: TensorData['data']): boolean => view.some((value) => Number(value) !== 0);

/**
 * Reads `pixel_attention_mask` `[B, V, H, W]`: in every view that is not padding each patch must have a pixel that counts.
 * The reference leaves other patches out, and moves the positions of the rest.
 *
 * @throws InputError naming the view of which a part is left out
 */
function requireWholeViews(
  { pixel_attention_mask: mask, pixel_values: pixels }: Tensors,
  { pixels: { patchSize } }: Pick<VisionEncoder, 'pixels'>,
): void {
  if (!mask || !pixels) return;
  const [height = 0, width = 0] = mask.shape.slice(-2);
  const lead = mask.shape.slice(0, -2);
  if ([...lead, 3, height, width].join() !== pixels.shape.join())
    throw new InputError({
      message: `pixel_attention_mask is [${mask.shape.join(', ')}], which does not fit pixel_values [${pixels.shape.join(', ')}].`,
      where: 'forward',
      hint: 'Both must come from one run of the processor.',
    });
  const count = lead.reduce((product, side) => product * side, 1);
  const views = viewsOf(pixels, count);
  for (const [i, own] of viewsOf(mask, count).entries())
    if (isSeen(views[i]!) && !showsAllPatches(own, width, patchSize))
      throw new InputError({
        message: `pixel_attention_mask leaves out patches of view ${i}, but views are seen whole here.`,
        where: 'forward',
        hint: 'Give views that pictures fill, as the processor makes them with do_image_splitting on or off.',
      });
}

function showsAllPatches(mask: TensorData['data'], width: number, patchSize: number): boolean {
  const [across, down] = [Math.floor(width / patchSize), Math.floor(mask.length / width / patchSize)];
  const seen = new Uint8Array(across * down);
  for (const [i, one] of mask.entries()) {
    const [row, column] = [Math.floor(i / width / patchSize), Math.floor((i % width) / patchSize)];
    if (Number(one) !== 0 && row < down && column < across) seen[row * across + column] = 1;
  }
  return seen.every((one) => one === 1);
}
