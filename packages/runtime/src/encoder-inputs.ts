import { InputError } from '@weft/errors';
import type { TensorData, TensorType } from '@weft/graph';
import { findPart, type EncoderRun, type Model } from '@weft/spec';

/**
 * The inputs of encoder and connector among Hugging Face forward inputs; `undefined` if there are none. Pictures that transformers
 * lists by sample, `[B, V, 3, H, W]`, become `[tiles, 3, H, W]`, without the views of zeros that fill up samples.
 *
 * @throws InputError if tiles have another size than the encoder takes
 */
export function expectedInputs(
  model: Model,
  inputs: Readonly<Record<string, TensorData>>,
): Record<string, TensorData> | undefined {
  const [encoder, connector] = [findPart(model, 'encoder'), findPart(model, 'connector')];
  const wanted = Object.entries({ ...encoder?.inputs, ...connector?.inputs });
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
 * A forward input as the graph takes it.
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

/** What the graph of a model's sight takes in one run, and how its features lie if the encoder says so. */
export type SightRun = Pick<EncoderRun, 'inputs'> & Partial<EncoderRun>;

/**
 * The runs of a model's sight for Hugging Face forward inputs, or for what its processor makes of pictures: one for all
 * tiles, or at free resolution one for each video and for each picture or tile of one.
 *
 * @throws InputError if the inputs do not fit each other or the encoder
 */
export function sightRuns(model: Model, inputs: Readonly<Record<string, TensorData>>): readonly SightRun[] {
  const [encoder, connector] = [findPart(model, 'encoder'), findPart(model, 'connector')];
  const arranger = findPart(model, 'arranger');
  if (encoder?.prepare)
    return encoder
      .prepare(inputs)
      .map((run) => ({ ...run, inputs: { ...run.inputs, ...connector?.prepare?.(run.layout) } }));
  const arranged = arranger?.prepare(inputs);
  const expected = expectedInputs(model, arranged ?? inputs);
  if (arranged) return [{ inputs: { ...arranged, ...expected } }];
  return expected ? [{ inputs: expected }] : [];
}

/** A tensor with one axis too few has no axis of tiles: it is one. */
const withTiles = (tensor: TensorData, rank: number): TensorData =>
  tensor.shape.length === rank - 1 ? { ...tensor, shape: [1, ...tensor.shape] } : tensor;

/** A tensor with one axis too many has samples and views; views of zeros are padding. */
export function withoutPadding(tensor: TensorData, rank: number): TensorData {
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
