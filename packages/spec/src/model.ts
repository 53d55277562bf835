import type { AnyModule, TensorData } from '@weft/graph';
import type { Backbone } from './backbone.js';
import type { Source } from './component.js';
import type { Connector } from './connector.js';
import type { Fusion } from './fusion.js';
import type { Json } from './preset.js';
import type { VisionEncoder } from './vision-encoder.js';

/** A picture in memory: RGB bytes, row-major, channels interleaved. The same shape as `Raster` of the image package. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 3;
  readonly data: Uint8Array;
}

/** One picture after preprocessing: what stands for it in the prompt, and how that count comes about. */
export interface ImagePlacement {
  /** Tiles of the encoder's input that belong to the picture. */
  readonly tiles: number;
  /** Embeddings, equal to the placeholder tokens in `prompt`. */
  readonly tokens: number;
  /** How `tokens` comes about, for messages: `3 x 4 tiles + 1, each 8 x 8`. */
  readonly formula: string;
  /** Text that replaces the picture's placeholder in the prompt. */
  readonly prompt: string;
}

export interface ProcessedImages {
  /** Graph inputs of the encoder, tiles of all pictures in order. */
  readonly inputs: Readonly<Record<string, TensorData>>;
  readonly images: readonly ImagePlacement[];
}

/** Turns pictures into the encoder's inputs, and decides how many tokens each takes. */
export interface ImageProcessor {
  /** @throws InputError naming the picture if it cannot be used */
  process(pictures: readonly Picture[]): ProcessedImages;
  /** Tokens and tiles of a picture of this size, without pixels. */
  place(size: { readonly width: number; readonly height: number }): ImagePlacement;
}

/** The sight of a model: an encoder, a connector, and the placeholder in the text. */
export interface Vision {
  readonly encoder: VisionEncoder;
  readonly connector: Connector;
  readonly processor: ImageProcessor;
  /** Placeholder that the chat template writes, for example `<image>`. */
  readonly placeholder: string;
  /** Id of the token that image embeddings take the place of. */
  readonly imageTokenId: number;
}

/** How tensors of a file become parameters of a model. */
export interface CheckpointNames {
  /** Path of the parameter that a tensor of the file belongs to. */
  readonly rename?: (name: string) => string;
  /** Why a tensor of the file is not used, or `undefined` if that would be an error. */
  readonly unused?: (name: string) => string | undefined;
}

/** A language model, with or without sight: parts, their weights' names, and the way in for pictures. */
export interface Model {
  /** Name of the recipe, for example `llava`. */
  readonly name: string;
  readonly source: Source;
  /** Tree of all parts; paths are those of the checkpoint. */
  readonly module: AnyModule;
  readonly backbone: Backbone;
  readonly fusion: Fusion;
  readonly vision: Vision | null;
  readonly checkpoint: CheckpointNames;
  /** `config.json` that describes the model; saving writes it. */
  readonly config: Json;
}
