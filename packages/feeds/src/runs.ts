import { InputError } from '@weft/errors';
import type { TensorData, TensorType } from '@weft/graph';
import {
  part,
  senseOf,
  sensePartsOf,
  type EncoderRun,
  type Model,
  type SenseParts,
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
  const expected = expectedInputs(parts, arranged ?? inputs);
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

function expectedInputs({ encoder, connector }: SenseParts, inputs: Tensors): Tensors | undefined {
  const wanted = Object.entries({ ...encoder.inputs, ...connector.inputs });
  const found = wanted.filter(([name]) => name in inputs);
  if (found.length === 0) return undefined;
  if (found.length < wanted.length)
    throw new InputError({
      message: `The encoder takes ${wanted.map(([name]) => name).join(', ')}, but only ${found.map(([name]) => name).join(', ')} was given.`,
      where: 'forward',
    });
  return Object.fromEntries(found.map(([name, type]) => [name, fittedTo(type, name, inputs[name]!)]));
}

/**
 * A forward input as the graph takes it. Pictures that transformers lists by sample, `[B, V, 3, H, W]`, become
 * `[tiles, 3, H, W]`, without the views of zeros that fill up samples.
 *
 * @throws InputError if tiles have another size than the graph takes
 */
export function fittedTo({ shape }: TensorType, name: string, given: TensorData): TensorData {
  const tensor = withTiles(withoutPadding(given, shape.length), shape.length);
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

/** A tensor with one axis too many has samples and views; views of zeros are padding. */
function withoutPadding(tensor: TensorData, rank: number): TensorData {
  const { shape, data, dtype } = tensor;
  if (shape.length !== rank + 1) return tensor;
  const [samples = 0, views = 0, ...rest] = shape;
  const size = rest.reduce((product, side) => product * side, 1);
  const kept = Array.from({ length: samples * views }, (_, i) =>
    data.subarray(i * size, (i + 1) * size),
  ).filter((view) => view.some((value) => value !== 0)) as Float32Array[];
  const joined = new (data.constructor as Float32ArrayConstructor)(kept.length * size);
  for (const [i, view] of kept.entries()) joined.set(view, i * size);
  return { dtype, shape: [kept.length, ...rest], data: joined };
}
