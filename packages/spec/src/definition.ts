import type { TakeNotice } from '@weft/errors';
import type { AnyModule } from '@weft/graph';
import type { Arranger, ArrangerFactory } from './arranger.js';
import type { Backbone } from './backbone.js';
import type { Component, Source } from './component.js';
import type { ConfigFields } from './config-fields.js';
import type { Connector, ConnectorFactory } from './connector.js';
import type { Fusion } from './fusion.js';
import type { CheckpointNames, CrossSight, ImageProcessor, PositionRule, VideoProcessor } from './model.js';
import type { Json } from './preset.js';
import type { VisionEncoder } from './vision-encoder.js';

/** What a composition tells a processor: whose inputs it makes, and the text of one placeholder token. */
export interface ProcessorContext {
  readonly encoder: Pick<VisionEncoder, 'id' | 'grid' | 'pixels'>;
  /** Its token counts are what the processor must announce. */
  readonly connector: Pick<Connector, 'countTokens'>;
  readonly placeholder: string;
  /** Where there is one, it may decide how pictures are cut. */
  readonly arranger?: Pick<Arranger, 'plan'> | undefined;
  /** How cross-attention layers see; absent where embeddings stand among tokens only. */
  readonly cross?: Pick<CrossSight, 'tokensPerTile' | 'place'> | undefined;
}

/** A processor of pictures or of videos that waits for its encoder and connector. */
export type ProcessorFactory<P extends ImageProcessor | VideoProcessor = ImageProcessor | VideoProcessor> = (
  context: ProcessorContext,
) => P;

/** What a composition tells a position rule: the tokens that pictures and videos take the place of. */
export interface PositionsContext {
  readonly imageTokenId: number;
  readonly videoTokenId: number | undefined;
}

/** A position rule that waits for the ids of the placeholder tokens. */
export type PositionsFactory = (context: PositionsContext) => PositionRule;

/** What the definition of a part makes, by the kind of the part. */
export interface PartKinds {
  readonly encoder: VisionEncoder;
  readonly connector: ConnectorFactory;
  readonly arranger: ArrangerFactory;
  readonly backbone: Backbone;
  readonly fusion: Fusion;
  readonly processor: ProcessorFactory;
  readonly positions: PositionsFactory;
  readonly head: Component;
  readonly codec: AnyModule;
}

export type PartKind = keyof PartKinds;

/**
 * A part as its package states it: what it is called, how it is made, and how published files describe it. All that the
 * rest of Weft knows of a part it knows from here, so a part of a package outside of this repository is as good as ours.
 *
 * The configuration is data: what `create` was told is what `config.json` of a composition holds.
 */
export interface PartDefinition<K extends PartKind = PartKind, C = unknown> {
  /** Kind and idea, for example `encoder-clip`; also what the part says of itself. */
  readonly id: string;
  readonly kind: K;
  /**
   * @throws ConfigError for a configuration that cannot be, naming the field; `checkConfig` does so by `fields`
   */
  create(config: C): PartKinds[K];
  /** What each field of the configuration may hold. */
  readonly fields?: ConfigFields<C>;
  /** Published sizes by name; empty where there are none. */
  readonly presets: Readonly<Record<string, C>>;
  readonly source: Source;
  /**
   * What published files call it: values of `model_type` for encoders and backbones, of `image_processor_type` for
   * processors. Types of whole models that hold only this part beside others we do not read (`clip`) are among them;
   * types of models that are a composition (`qwen2_vl`) are not. None unless given.
   */
  readonly types?: readonly string[];
  /**
   * The configuration from a section of published files.
   *
   * @param notice takes what the section says and the part does not apply
   * @throws ConfigError naming the field that cannot be read
   */
  read?(section: Json, notice?: TakeNotice): C;
  /** The section of published files for a configuration; `undefined` where no such section can express it. */
  write?(config: C): Json | undefined;
  /** Pieces of stored tensors that are tensors of their own in the part. */
  readonly split?: CheckpointNames['split'];
  /** Where files hold the part's tensors, if not under their own names. */
  readonly stored?: CheckpointNames['stored'];
}

export type { TakeNotice } from '@weft/errors';

/** What is known of a part before its package is imported: a line of the catalog. */
export interface PartEntry {
  readonly id: string;
  readonly kind: PartKind;
  /** What to install, for example `@weft/encoder-clip`. */
  readonly package: string;
  /** See `PartDefinition.types`. */
  readonly types: readonly string[];
  /** Names of the published sizes. */
  readonly presets: readonly string[];
  /** Imports the package; fails as `import` does if it is not installed. */
  load(): Promise<PartDefinition>;
}
