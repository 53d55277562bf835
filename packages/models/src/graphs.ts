import { ConfigError } from '@weft/errors';
import {
  crossEntropy,
  gather,
  multiplyDims,
  reduceSum,
  relabel,
  reshape,
  trace,
  type Graph,
  type TensorType,
  type Value,
} from '@weft/graph';
import type { Model, Vision } from '@weft/spec';

const int64 = (...shape: readonly (string | number)[]): TensorType => ({ dtype: 'int64', shape });
const float32 = (...shape: readonly (string | number)[]): TensorType => ({ dtype: 'float32', shape });

const sightOf = (model: Model): Vision => {
  if (!model.vision) throw new ConfigError({ message: `${model.name} is a text model and takes no images.` });
  return model.vision;
};

/** Graph inputs of a model's sight: the encoder's, and the arranger's if there is one. */
const sightTypes = ({ encoder, arranger }: Vision): Readonly<Record<string, TensorType>> => ({
  ...encoder.inputs,
  ...arranger?.inputs,
});

/** Image embeddings `[tokens, D]` in the order of the prompt. */
function see({ encoder, connector, arranger }: Vision, inputs: Readonly<Record<string, Value>>): Value {
  const rows = connector.connect(encoder.encode(inputs));
  return arranger ? arranger.arrange(rows, inputs) : rows;
}

/** Pixels to image embeddings: the inputs of encoder and arranger to `image_embeds` `[tokens, D]`. */
export function visionGraph(model: Model): Graph {
  const vision = sightOf(model);
  return trace(model.module, sightTypes(vision), (inputs) => ({ image_embeds: see(vision, inputs) }));
}

/** Tokens, and their positions: one number each, or one for each axis of the model's rule. */
const textTypes = ({ positions }: Model) => ({
  input_ids: int64('batch', 'sequence'),
  position_ids: positions ? int64(positions.axes, 'batch', 'sequence') : int64('batch', 'sequence'),
});

/** Hidden states `[B, L, D]` of a prompt with image embeddings, if any, at their places. */
function decode(
  model: Model,
  { input_ids, position_ids }: { readonly [K in keyof ReturnType<typeof textTypes>]: Value },
  images?: { readonly positions: Value; readonly embeds: Value },
): Value {
  const hiddenStates = model.backbone.embed(input_ids);
  const fused = images ? model.fusion.join({ hiddenStates, placed: images }) : { hiddenStates };
  return model.backbone.decode({ ...fused, positionIds: position_ids });
}

/** Rows of `[B, L, D]` at flat int64 positions `[M]`, so that a head runs only where it is asked. */
function rowsAt(hiddenStates: Value, positions: Value): Value {
  const [batch, length, size] = hiddenStates.shape;
  return gather(reshape(hiddenStates, [multiplyDims(batch!, length!), size!]), positions);
}

/**
 * Tokens and image embeddings to `logits` `[M, V]` at the flat positions `logit_positions` `[M]`. Image embeddings
 * `image_embeds` `[N, D]` stand at the flat positions `image_positions` `[N]`; a text model has neither input.
 */
export function textGraph(model: Model): Graph {
  const size = model.backbone.shape.hiddenSize;
  const types = { ...textTypes(model), logit_positions: int64('rows') };
  const images = { image_positions: int64('images'), image_embeds: float32('images', size) };
  const logits = (hiddenStates: Value, at: Value) => ({
    logits: model.backbone.head(rowsAt(hiddenStates, at)),
  });
  return model.vision
    ? trace(model.module, { ...types, ...images }, (inputs) =>
        logits(
          decode(model, inputs, { positions: inputs.image_positions, embeds: inputs.image_embeds }),
          inputs.logit_positions,
        ),
      )
    : trace(model.module, types, (inputs) => logits(decode(model, inputs), inputs.logit_positions));
}

/**
 * The whole model for training: pixels, tokens, `target_positions` `[M]` and `targets` `[M]` (the token after each
 * position) to the summed cross-entropy `loss`. Without `images` the graph is that of text-only batches.
 */
export function trainingGraph(model: Model, { images }: { readonly images: boolean }): Graph {
  const types = { ...textTypes(model), target_positions: int64('rows'), targets: int64('rows') };
  const loss = (hiddenStates: Value, at: Value, targets: Value) => ({
    loss: reduceSum(crossEntropy(model.backbone.head(rowsAt(hiddenStates, at)), targets)),
  });
  if (!images)
    return trace(model.module, types, (inputs) =>
      loss(decode(model, inputs), inputs.target_positions, inputs.targets),
    );
  const vision = sightOf(model);
  return trace(
    model.module,
    { ...sightTypes(vision), ...types, image_positions: int64('images') },
    (inputs) => {
      const embeds = see(vision, inputs as Readonly<Record<string, Value>>);
      const positions = relabel(inputs.image_positions, [embeds.shape[0]!]);
      return loss(decode(model, inputs, { positions, embeds }), inputs.target_positions, inputs.targets);
    },
  );
}
