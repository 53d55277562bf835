import { ConfigError } from '@weft/errors';
import { module, type AnyModule } from '@weft/graph';
import {
  senseOf,
  type ArrangerFactory,
  type Backbone,
  type CheckpointNames,
  type ConnectorFactory,
  type Fusion,
  type ImageProcessor,
  type ImageSense,
  type Json,
  type Model,
  type PositionsFactory,
  type ProcessorFactory,
  type PromptRule,
  type Source,
  type VideoProcessor,
  type VideoSense,
  type VisionEncoder,
} from '@weft/spec';
import { checkRules, checkTokens, tryPicture } from './check-composition.js';
import { crossSight, type CrossComposition } from './cross-sight.js';
import { processorFor } from './processor-for.js';

/** Paths of the parts in the checkpoint. */
export interface PartPaths {
  readonly encoder: string;
  readonly connector: string;
  readonly arranger: string;
  readonly backbone: string;
}

export interface Composition {
  /** Name of the model or recipe. */
  readonly name: string;
  readonly source?: Source;
  readonly encoder: VisionEncoder;
  readonly connector: ConnectorFactory;
  /** Order of the embeddings, where it is not that of the tiles. */
  readonly arranger?: ArrangerFactory;
  readonly backbone: Backbone;
  readonly fusion: Fusion;
  /** Made for the composed connector and encoder, whose token counts it must announce. */
  readonly processor: ProcessorFactory<ImageProcessor>;
  /** For models that see videos; its processor is made like that of pictures. */
  readonly video?: VideoComposition;
  readonly positions?: PositionsFactory;
  /** For fusions by cross-attention. */
  readonly cross?: CrossComposition | undefined;
  readonly imageTokenId: number;
  readonly placeholder?: string;
  /** How prompts are written, where chat template and tokenizer do not say it all. */
  readonly prompt?: PromptRule;
  readonly paths?: Partial<PartPaths>;
  readonly checkpoint?: CheckpointNames;
  readonly config?: Json;
}

/** What it takes to see videos, beside the parts of pictures. */
export interface VideoComposition extends Pick<VideoSense, 'placeholder' | 'tokenId'> {
  readonly processor: ProcessorFactory<VideoProcessor>;
}

const ownSource: Source = {
  paper: 'https://magazine.sebastianraschka.com/p/understanding-multimodal-llms',
  code: 'composed by hand',
};
const llavaPaths: PartPaths = {
  encoder: 'vision_tower',
  connector: 'multi_modal_projector',
  arranger: 'arranger',
  backbone: 'language_model',
};

/**
 * Puts an encoder, a connector, a backbone and a fusion together. Widths are taken from the parts, so they fit by
 * construction; the rest is checked here.
 *
 * @throws ConfigError if the token of pictures or videos is not in the backbone's vocabulary, an arranger meets an encoder of
 * free resolution, cross-attention meets either of them, or a processor prepares nothing that the encoder takes
 * @throws ShapeError if the encoder's grid does not fit the connector
 */
export function compose(given: Composition): Model {
  const { name, encoder, fusion, imageTokenId, placeholder = '<image>', source = ownSource } = given;
  const { vocabSize, hiddenSize, extraTokens = 0 } = given.backbone.shape;
  checkTokens(
    [
      { kind: 'image', id: imageTokenId, placeholder },
      ...(given.video
        ? [{ kind: 'video', id: given.video.tokenId, placeholder: given.video.placeholder } as const]
        : []),
    ],
    vocabSize + extraTokens,
    name,
  );
  checkRules(given);
  const attached = fusion.attach(given.backbone);
  const connector = given.connector({
    visionSize: encoder.hiddenSize,
    textSize: hiddenSize,
    grid: encoder.grid,
  });
  const arranger = given.arranger?.({ textSize: hiddenSize, grid: encoder.grid });
  if (arranger && encoder.prepare)
    throw new ConfigError({
      message: `${arranger.id} orders the features of tiles, but ${encoder.id} takes one picture at a time.`,
      where: name,
      hint: 'Leave the arranger out, or use an encoder of a fixed grid.',
    });
  const cross = fusion.method === 'A' ? undefined : crossSight(given, connector, arranger);
  const context = { encoder, connector, arranger, cross };
  const own = given.processor({ ...context, placeholder });
  const processor = cross ? processorFor(own, cross, placeholder) : own;
  const places = {
    encoder: 'encoder',
    connector: 'connector',
    ...(arranger ? { arranger: 'arranger' } : {}),
  };
  const image: ImageSense = {
    kind: 'image',
    placeholder,
    tokenId: imageTokenId,
    ...places,
    processor,
    cross,
  };
  const video: VideoSense | undefined = given.video && {
    kind: 'video',
    ...places,
    ...given.video,
    processor: given.video.processor({ ...context, placeholder: given.video.placeholder }),
  };
  // Published models are tried by their fixtures.
  const { model_type: type } = given.config ?? {};
  if (type === undefined || type === 'weft') tryPicture(image, encoder, name);
  return finish(given, {
    source,
    parts: { encoder, connector, ...(arranger ? { arranger } : {}), backbone: attached.backbone },
    added: attached.added,
    senses: [image, ...(video ? [video] : [])],
    positions: given.positions?.({ imageTokenId, videoTokenId: video?.tokenId }),
    paths: { ...llavaPaths, ...given.paths },
  });
}

/** A backbone on its own, as a model without sight. */
export function textModel(given: {
  readonly name: string;
  readonly source?: Source;
  readonly backbone: Backbone;
  readonly fusion: Fusion;
  readonly checkpoint?: CheckpointNames;
  readonly config?: Json;
}): Model {
  return finish(given, {
    source: given.source ?? given.backbone.source,
    parts: { backbone: given.backbone },
    added: [],
    senses: [],
    paths: { ...llavaPaths, backbone: '' },
  });
}

/** The parts in one tree, and all else that was given. */
function finish(
  given: Pick<Composition, 'name' | 'fusion' | 'prompt' | 'checkpoint' | 'config'>,
  {
    parts,
    paths,
    ...found
  }: Pick<Model, 'source' | 'added' | 'senses' | 'positions'> & {
    readonly parts: Readonly<Record<string, AnyModule>>;
    readonly paths: PartPaths;
  },
): Model {
  const { name, fusion, prompt = {}, checkpoint = {}, config = {} } = given;
  return {
    name,
    module: module('Model', parts, {}, { paths: { ...paths } }),
    ...found,
    get vision(): ImageSense | undefined {
      return senseOf(this, 'image');
    },
    heads: [{ kind: 'text', part: 'backbone' }],
    fusion,
    prompt,
    checkpoint,
    config,
  };
}
