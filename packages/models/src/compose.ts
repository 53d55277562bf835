import { ConfigError } from '@weft/errors';
import { module, type AnyModule } from '@weft/graph';
import type {
  ArrangerFactory,
  Backbone,
  CheckpointNames,
  Connector,
  ConnectorFactory,
  Fusion,
  ImageProcessor,
  Json,
  Model,
  PositionRule,
  Source,
  VideoSight,
  Vision,
  VisionEncoder,
} from '@weft/spec';

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
  readonly processor: (vision: {
    readonly encoder: VisionEncoder;
    readonly connector: Connector;
  }) => ImageProcessor;
  /** For models that see videos; made like the processor. */
  readonly video?: (vision: { readonly encoder: VisionEncoder; readonly connector: Connector }) => VideoSight;
  readonly positions?: PositionRule;
  readonly imageTokenId: number;
  readonly placeholder?: string;
  readonly paths?: Partial<PartPaths>;
  readonly checkpoint?: CheckpointNames;
  readonly config?: Json;
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
 * @throws ConfigError if the image token is not in the backbone's vocabulary, or an arranger meets an encoder of free
 * resolution
 * @throws ShapeError if the encoder's grid does not fit the connector
 */
export function compose(given: Composition): Model {
  const { name, encoder, fusion, imageTokenId, placeholder = '<image>', source = ownSource } = given;
  const { vocabSize, hiddenSize } = given.backbone.shape;
  if (!Number.isInteger(imageTokenId) || imageTokenId < 0 || imageTokenId >= vocabSize)
    throw new ConfigError({
      message: `The image token ${imageTokenId} is outside of the backbone's ${vocabSize} token embeddings.`,
      where: name,
      hint: 'Choose an unused id, or give the backbone a larger vocabSize and new rows for it.',
    });
  const backbone = fusion.attach(given.backbone);
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
  const processor = given.processor({ encoder, connector });
  const video = given.video?.({ encoder, connector });
  const vision: Vision = { encoder, connector, arranger, processor, placeholder, imageTokenId, video };
  return finish(name, source, backbone, fusion, vision, { ...llavaPaths, ...given.paths }, given);
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
  const paths = { ...llavaPaths, backbone: '' };
  return finish(
    given.name,
    given.source ?? given.backbone.source,
    given.backbone,
    given.fusion,
    null,
    paths,
    given,
  );
}

function finish(
  name: string,
  source: Source,
  backbone: Backbone,
  fusion: Fusion,
  vision: Vision | null,
  paths: PartPaths,
  { checkpoint = {}, config = {}, positions }: Pick<Composition, 'checkpoint' | 'config' | 'positions'>,
): Model {
  const parts: Record<string, AnyModule> = vision
    ? {
        encoder: vision.encoder,
        connector: vision.connector,
        ...(vision.arranger ? { arranger: vision.arranger } : {}),
        backbone,
      }
    : { backbone };
  const root = module('Model', parts, {}, { paths: { ...paths } });
  return { name, source, module: root, backbone, fusion, vision, positions, checkpoint, config };
}
