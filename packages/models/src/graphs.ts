import { ConfigError } from '@weft/errors';
import {
  crossEntropy,
  gather,
  mul,
  multiplyDims,
  reduceSum,
  relabel,
  reshape,
  trace,
  type Graph,
  type TensorType,
  type Value,
} from '@weft/graph';
import {
  part,
  senseOf,
  sensePartsOf,
  type CrossSight,
  type ImageSense,
  type Model,
  type PlacedEmbeds,
  type SeenTiles,
  type SenseParts,
  type TextInputs,
} from '@weft/spec';

const int64 = (...shape: readonly (string | number)[]): TensorType => ({ dtype: 'int64', shape });
const float32 = (...shape: readonly (string | number)[]): TensorType => ({ dtype: 'float32', shape });

/** Sight of a model and what it goes through; videos go through what pictures do. */
function sightOf(model: Model): { readonly sense: ImageSense; readonly parts: SenseParts } {
  const sense = senseOf(model, 'image');
  if (!sense) throw new ConfigError({ message: `${model.name} is a text model and takes no images.` });
  return { sense, parts: sensePartsOf(model, sense) };
}

/** Graph inputs of a model's sight: the encoder's, the connector's, and the arranger's if there is one. */
const sightTypes = ({ encoder, connector, arranger }: SenseParts): Readonly<Record<string, TensorType>> => ({
  ...encoder.inputs,
  ...connector.inputs,
  ...arranger?.inputs,
});

/** Image embeddings `[tokens, D]` in the order of the prompt. */
function see({ encoder, connector, arranger }: SenseParts, inputs: Readonly<Record<string, Value>>): Value {
  const rows = connector.connect(encoder.encode(inputs), inputs);
  return arranger ? arranger.arrange(rows, inputs) : rows;
}

/** Pixels to image embeddings: the inputs of encoder, connector and arranger to `image_embeds` `[tokens, D]`. */
export function visionGraph(model: Model): Graph {
  const { parts } = sightOf(model);
  return trace(model.module, sightTypes(parts), (inputs) => ({ image_embeds: see(parts, inputs) }));
}

/** Tokens, and their positions: one number each, or one for each axis of the model's rule. */
const textTypes = ({ positions }: Model) => ({
  input_ids: int64('batch', 'sequence'),
  position_ids: positions ? int64(positions.axes, 'batch', 'sequence') : int64('batch', 'sequence'),
});

/** Lengths of the rows, where the frequencies of positions depend on them. */
const lengthTypes = (model: Model): Readonly<Record<string, TensorType>> =>
  part(model, 'backbone').frequencies ? { sequence_lengths: int64('batch') } : {};

type TextValues = { readonly [K in keyof ReturnType<typeof textTypes>]: Value };

/** Hidden states `[B, L, D]` of a prompt with what it sees, if anything. */
function decode(
  model: Model,
  { input_ids, position_ids }: TextValues,
  { lengths, ...images }: Omit<TextInputs, 'hiddenStates'> & { readonly lengths?: Value | undefined } = {},
): Value {
  const backbone = part(model, 'backbone');
  const hiddenStates = backbone.embed(input_ids);
  return backbone.decode({
    ...model.fusion.join({ hiddenStates, ...images }),
    positionIds: position_ids,
    lengths,
  });
}

/** Graph inputs that say which tiles each token sees by cross-attention. */
const seenTypes = ({ tagTokens }: CrossSight): Readonly<Record<string, TensorType>> => ({
  vision_tiles: int64('batch', 'seen'),
  cross_attention_mask: int64('batch', 'sequence', 'seen'),
  ...(tagTokens > 0 ? { tile_tags: int64('batch', 'seen', tagTokens) } : {}),
});

/** @param embeds of all tiles, `[M * P, D]` */
function seenTiles(
  model: Model,
  { tokensPerTile }: CrossSight,
  embeds: Value,
  inputs: Readonly<Record<string, Value>>,
): SeenTiles {
  const backbone = part(model, 'backbone');
  const tags = inputs['tile_tags'];
  return {
    embeds: reshape(embeds, [-1, tokensPerTile, backbone.shape.hiddenSize]),
    tiles: inputs['vision_tiles']!,
    mask: inputs['cross_attention_mask']!,
    tags: tags && backbone.embed(tags),
  };
}

/** Rows of `[B, L, D]` at flat int64 positions `[M]`, so that a head runs only where it is asked. */
function rowsAt(hiddenStates: Value, positions: Value): Value {
  const [batch, length, size] = hiddenStates.shape;
  return gather(reshape(hiddenStates, [multiplyDims(batch!, length!), size!]), positions);
}

/**
 * Tokens and image embeddings to `logits` `[M, V]` at the flat positions `logit_positions` `[M]`.
 *
 * Image embeddings `image_embeds` `[N, D]` stand at the flat positions `image_positions` `[N]` (methods A and H).
 * Cross-attention layers (B and H) see tiles whose embeddings are `tile_embeds`, as `visionGraph` gives them: each row
 * those of the numbers `vision_tiles` `[batch, seen]`, each token those that `cross_attention_mask`
 * `[batch, sequence, seen]` allows, with the ids of their tags `tile_tags` if the model has tags. A text model has none
 * of these inputs.
 *
 * Where the frequencies of positions depend on the length of a text, `sequence_lengths` `[batch]` says it for each row:
 * tokens of the whole prompt while a piece of it is read, else those up to the new one.
 *
 * @param options.tiles whether cross-attention layers see anything; without, they are left out, which is what the model
 * does with a prompt that has no images. True unless given.
 */
export function textGraph(model: Model, { tiles = true }: { readonly tiles?: boolean } = {}): Graph {
  const { fusion } = model;
  const backbone = part(model, 'backbone');
  const sight = senseOf(model, 'image');
  const cross = tiles ? sight?.cross : undefined;
  const isPlaced = sight !== undefined && fusion.method !== 'B';
  const types: Record<string, TensorType> = {
    logit_positions: int64('rows'),
    ...lengthTypes(model),
    ...(isPlaced
      ? { image_positions: int64('images'), image_embeds: float32('images', backbone.shape.hiddenSize) }
      : {}),
    ...(cross ? { ...seenTypes(cross), tile_embeds: visionGraph(model).outputs['image_embeds']! } : {}),
  };
  return trace(model.module, { ...textTypes(model), ...types }, (inputs) => {
    const given = inputs as Readonly<Record<string, Value>>;
    const hiddenStates = decode(model, inputs, {
      placed: isPlaced ? { positions: given['image_positions']!, embeds: given['image_embeds']! } : undefined,
      seen: cross && seenTiles(model, cross, given['tile_embeds']!, given),
      lengths: given['sequence_lengths'],
    });
    return { logits: backbone.head(rowsAt(hiddenStates, given['logit_positions']!)) };
  });
}

/** Graph input with the gradient of a loss by what `visionGraph` gives. */
const upstream = 'image_embeds_gradient';

/**
 * `visionGraph` as a graph to differentiate, where the loss is that of another graph: `loss` is the sum of all image
 * embeddings, each weighted by its number in `image_embeds_gradient` `[tokens, D]`. Its gradients are those of that other
 * loss.
 */
export function visionLossGraph(model: Model): Graph {
  const { parts } = sightOf(model);
  const { shape } = visionGraph(model).outputs['image_embeds']!;
  return trace(model.module, { ...sightTypes(parts), [upstream]: float32(...shape) }, (inputs) => ({
    loss: reduceSum(mul(see(parts, inputs), inputs[upstream]!)),
  }));
}

/**
 * The whole model for training: pixels, tokens, `target_positions` `[M]` and `targets` `[M]` (the token after each
 * position) to the summed cross-entropy `loss`. Without `images` the graph is that of text-only batches.
 *
 * Under method H `image_rows` `[N]` says which of the image embeddings stand at `image_positions`; under A it is all of
 * them. Cross-attention layers take `vision_tiles` and the other inputs that `textGraph` names.
 *
 * @param options.images whether there are pictures in the batch
 * @param options.areSeen whether the pictures come as `image_embeds` `[N, D]` that `visionGraph` gave, as they must where
 * they pass it one after another; not unless given
 */
export function trainingGraph(
  model: Model,
  { images, areSeen = false }: { readonly images: boolean; readonly areSeen?: boolean },
): Graph {
  const types = { ...textTypes(model), target_positions: int64('rows'), targets: int64('rows') };
  const loss = (hiddenStates: Value, at: Value, targets: Value) => ({
    loss: reduceSum(crossEntropy(part(model, 'backbone').head(rowsAt(hiddenStates, at)), targets)),
  });
  if (!images)
    return trace(model.module, types, (inputs) =>
      loss(decode(model, inputs), inputs.target_positions, inputs.targets),
    );
  const { sense, parts } = sightOf(model);
  if (areSeen) {
    const seen = {
      image_positions: int64('images'),
      image_embeds: float32('images', part(model, 'backbone').shape.hiddenSize),
    };
    return trace(model.module, { ...types, ...seen }, (inputs) => {
      const placed = { positions: inputs.image_positions, embeds: inputs.image_embeds };
      return loss(decode(model, inputs, { placed }), inputs.target_positions, inputs.targets);
    });
  }
  const { cross } = sense;
  const { method } = model.fusion;
  const places: Record<string, TensorType> = {
    ...(method === 'B' ? {} : { image_positions: int64('images') }),
    ...(method === 'H' ? { image_rows: int64('images') } : {}),
    ...(cross ? seenTypes(cross) : {}),
  };
  return trace(model.module, { ...sightTypes(parts), ...types, ...places }, (inputs) => {
    const given = inputs as unknown as Readonly<Record<string, Value>>;
    const embeds = see(parts, given);
    const { image_positions: positions, image_rows: rows } = given;
    const place = (at: Value): PlacedEmbeds =>
      rows
        ? { positions: at, embeds: gather(embeds, rows) }
        : { positions: relabel(at, [embeds.shape[0]!]), embeds };
    const hiddenStates = decode(model, inputs, {
      placed: positions && place(positions),
      seen: cross && seenTiles(model, cross, embeds, given),
    });
    return loss(hiddenStates, inputs.target_positions, inputs.targets);
  });
}
