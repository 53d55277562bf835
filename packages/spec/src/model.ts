import type { AnyModule, TensorData } from '@weft/graph';
import type { Source } from './component.js';
import type { Fusion } from './fusion.js';
import type { Json } from './preset.js';
import type { PromptForm } from './prompt-form.js';
import type { VisualLayout } from './vision-encoder.js';

/** A picture in memory: RGB bytes, row-major, channels interleaved. The same shape as `Raster` of the image package. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 3;
  readonly data: Uint8Array;
}

/** A video in memory. */
export interface Video {
  /** Pictures of one size in order of time. */
  readonly frames: readonly Picture[];
  /** How many of them make a second. */
  readonly fps: number;
}

/** One picture after preprocessing: what stands for it in the prompt, and how that count arises. */
export interface ImagePlacement {
  /** Tiles of the encoder's input that belong to the picture. */
  readonly tiles: number;
  /**
   * Placeholder tokens in `prompt`. Embeddings stand at them, unless the model sees pictures by cross-attention only;
   * they then mark where a picture comes.
   */
  readonly tokens: number;
  /** How `tokens` is counted, for messages: `3 x 4 tiles + 1, each 8 x 8`. */
  readonly formula: string;
  /** Text that replaces the picture's placeholder in the prompt. */
  readonly prompt: string;
  /** How its features lie, at free resolution. */
  readonly layout?: VisualLayout;
  /** What cross-attention layers see of it; absent where embeddings stand among tokens only. */
  readonly cross?: CrossShare | undefined;
  /**
   * How the picture becomes pixels: its target size, its grid of tiles, its crops. Only the processor that made it reads
   * it. It is plain data, the same for pictures that become the same: it passes between threads, and as JSON it names
   * what was made of a picture.
   */
  readonly plan: unknown;
}

/** Tiles of a picture that cross-attention layers attend to. */
export interface CrossShare {
  /** Numbers of the tiles within the picture, in the order of their keys. */
  readonly tiles: readonly number[];
  /** How many of them are seen, from the first; the others fill up. */
  readonly seen: number;
  /** Ids of the tag before each of the tiles, where there are tags among the keys. */
  readonly tags?: readonly (readonly number[])[] | undefined;
  /** Numbers of the tiles whose embeddings stand at the placeholder tokens. */
  readonly placed: readonly number[];
}

export interface ProcessedImages {
  /**
   * Tensors under the names of the reference implementation, tiles of all pictures in order: graph inputs of the
   * encoder, or what its `prepare` makes graph inputs of.
   */
  readonly inputs: Readonly<Record<string, TensorData>>;
  readonly images: readonly ImagePlacement[];
}

/** Turns pictures into the encoder's inputs, and decides how many tokens each takes. */
export interface ImageProcessor {
  /** Name of the idea, for example `processor-dynamic-tiles`. */
  readonly id: string;
  /** What its factory was told, as data. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Package that defines it, where that is not one of Weft's: saved compositions name it. */
  readonly package?: string | undefined;
  /**
   * What views of zeros are in tensors that the reference's processor lists by sample: `padding`, which fills up samples of
   * fewer views than others and is not encoded. Views like others unless given.
   */
  readonly zeroViews?: 'padding' | undefined;
  /**
   * Pixels as the plans of the placements say, so that what is encoded is what the prompt announced.
   *
   * @param placements what `place` returned for each picture, and `images` of the result; `place` is asked unless given,
   * as for a conversation of these pictures
   * @throws InputError naming the picture if it cannot be used, or if it is not the one that was placed
   */
  process(pictures: readonly Picture[], placements?: readonly ImagePlacement[]): ProcessedImages;
  /**
   * Plans a picture of this size, without pixels: its tiles, tokens and text.
   *
   * @param index number of the picture in the conversation; 0 unless given
   * @param total pictures of the conversation, on which the number of tiles may depend; 1 unless given
   * @throws InputError naming the picture if it cannot be used
   */
  place(
    size: { readonly width: number; readonly height: number },
    index?: number,
    total?: number,
  ): ImagePlacement;
}

/** Turns videos into what the encoder's `prepare` takes, and decides how many tokens each takes. */
export interface VideoProcessor {
  /** Name of the idea, for example `processor-packed-video`. */
  readonly id: string;
  /** What its factory was told, as data. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Package that defines it, where that is not one of Weft's: saved compositions name it. */
  readonly package?: string | undefined;
  /**
   * Pixels as the plans of the placements say.
   *
   * @param placements what `place` returned for each video; `place` is asked unless given
   * @throws InputError naming the video if it cannot be used, or if it is not the one that was placed
   */
  process(videos: readonly Video[], placements?: readonly ImagePlacement[]): ProcessedImages;
  /**
   * Plans a video of this size and length, without pixels: its tokens and text.
   *
   * @param index number of the video, for messages
   * @throws InputError naming the video if it cannot be used
   */
  place(
    size: { readonly width: number; readonly height: number; readonly frames: number; readonly fps: number },
    index?: number,
  ): ImagePlacement;
}

/** What every sense has: its placeholder in the text, and where its parts stand in the tree of the model. */
export interface SensePlaces {
  /** Placeholder that the chat template writes, for example `<image>`. */
  readonly placeholder: string;
  /** Id of the token that its embeddings take the place of. */
  readonly tokenId: number;
  /** Key of its encoder among the parts of the model's tree. */
  readonly encoder: string;
  /** Key of its connector. */
  readonly connector: string;
  /** Key of its arranger; absent if tiles one after another are the order of the prompt. */
  readonly arranger?: string | undefined;
}

/** The way in for pictures. */
export interface ImageSense extends SensePlaces {
  readonly kind: 'image';
  readonly processor: ImageProcessor;
  /** How cross-attention layers see; absent where embeddings stand among tokens only. */
  readonly cross?: CrossSight | undefined;
}

/** The way in for videos. */
export interface VideoSense extends SensePlaces {
  readonly kind: 'video';
  readonly processor: VideoProcessor;
}

/** A way into a model beside text. */
export type Sense = ImageSense | VideoSense;
export type SenseKind = Sense['kind'];

/** A way out of a model: what is read from the last hidden states, and by which part. */
export interface Head {
  readonly kind: 'text';
  /** Key of the part among those of the model's tree. */
  readonly part: string;
}

/** How prompts are written, where that is not left to the checkpoint's chat template and tokenizer. */
export interface PromptRule {
  /** Jinja template of conversations, where the checkpoint has none, or one that its model was not trained with. */
  readonly chatTemplate?: string | undefined;
  /** How prompts are written where there is no chat template; absent if pictures stand at placeholders only. */
  readonly form?: PromptForm | undefined;
  /**
   * Whether a raw prompt that lacks the tokenizer's first token gets it behind the placeholders it begins with, whatever
   * the tokenizer itself adds; not unless given.
   */
  readonly insertsFirstToken?: boolean | undefined;
  /** What shows through transparent pixels: nothing, their own colour counts, unless given. */
  readonly backdrop?: 'white' | undefined;
}

/** How tokens see pictures by cross-attention. */
export interface CrossSight {
  /** What the composition said of it, as data. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Embeddings of a tile. */
  readonly tokensPerTile: number;
  /** Tokens of the tag that stands before the embeddings of each tile; 0 without tags. */
  readonly tagTokens: number;
  /**
   * Whether tokens that see no tile attend to all tiles, as in transformers: such tokens then depend on pictures that
   * come after them.
   */
  readonly unseenAttend: boolean;
  /** Placeholder tokens and share of a picture that has that many tiles. */
  place(tiles: number): Pick<ImagePlacement, 'tokens' | 'cross'>;
  /**
   * Which tiles each token sees: `[ids.length, tiles of all pictures]`, row by row, 1 for seen. A token's row depends
   * on the tokens up to it only, except within the marks of one picture.
   *
   * @param pictures in the order of their tokens
   */
  visible(ids: readonly number[], pictures: readonly Pick<ImagePlacement, 'tokens' | 'cross'>[]): Uint8Array;
}

/** Positions of the tokens of one row, on several axes. */
export interface TokenPositions {
  /** For each axis the position of every token. */
  readonly axes: readonly (readonly number[])[];
  /** Position of the token that follows, on all axes. */
  readonly next: number;
}

/** How tokens get positions where counting them is not enough. */
export interface PositionRule {
  /** Name of the idea, for example `positions-mrope`. */
  readonly id: string;
  /** What its factory was told, as data. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Package that defines it, where that is not one of Weft's: saved compositions name it. */
  readonly package?: string | undefined;
  /** Numbers that make up a position; M-RoPE has a time, a row and a column. */
  readonly axes: number;
  /**
   * Positions of a row of tokens from its beginning, padding left out. A token's position depends on those before it
   * only.
   *
   * @param layouts of the pictures and videos, in the order of their tokens
   */
  assign(ids: readonly number[], layouts: readonly VisualLayout[]): TokenPositions;
}

/** A parameter that is a contiguous piece of a stored tensor. */
export interface TensorSlice {
  /** Name that the piece would have as a tensor of its own. */
  readonly name: string;
  /** First element within the tensor, row-major. */
  readonly start: number;
  readonly shape: readonly number[];
}

/** A parameter that is stored as several tensors. */
export interface TensorJoin {
  /** Name that the whole would have as a tensor of its own. */
  readonly name: string;
  /** Shape of the whole. */
  readonly shape: readonly number[];
  /** How the pieces make up the whole, for the code that reads them: `gptq`, `awq`, …. */
  readonly form: string;
  /** Names of the tensors by what they are to the whole: `{ qweight: '….qweight', scales: '….scales' }`. */
  readonly pieces: Readonly<Record<string, string>>;
}

/** Where a file holds a parameter. */
export interface StoredPlace {
  readonly name: string;
  /** Place along a first axis, of a piece. */
  readonly index?: number;
}

/** How tensors of a file become parameters of a model. */
export interface CheckpointNames {
  /** Pieces of a stored tensor that are tensors of their own in the model, such as experts kept as one block. */
  readonly split?: (name: string, shape: readonly number[]) => readonly TensorSlice[] | undefined;
  /**
   * Where files of this kind hold a parameter, if not under its own path: under another name, or as a piece of a tensor with
   * others. What `rename` and `split` read is written by it.
   */
  readonly stored?: (name: string) => StoredPlace | undefined;
  /** Tensors that are one parameter together, such as packed numbers and their scales; after the splitting. */
  readonly join?: (
    tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: readonly number[] }>,
  ) => readonly TensorJoin[];
  /** Path of the parameter that a tensor of the file belongs to. */
  readonly rename?: (name: string) => string;
  /** Why a tensor of the file is not used, or `undefined` if that would be an error. */
  readonly unused?: (name: string) => UnusedReason | undefined;
}

/** Why a model does not use a tensor of a file. Where the tensor then holds known values, a look at it tells if it is so. */
export interface UnusedReason {
  /** Such as `computed from the config`. */
  readonly reason: string;
  /** What the tensor holds if the reason is true, for its shape: values that the model computes itself. */
  readonly values?: (shape: readonly number[]) => Float32Array;
  /** Whether the tensor repeats the table of token embeddings if the reason is true: a tied head. */
  readonly isTokenTable?: boolean;
}

/**
 * A language model and its senses: one tree of parts, and the ports at which text, pictures and videos come in and text
 * comes out. Parts are held by the tree only; `part` looks them up, so that a changed tree is a changed model.
 */
export interface Model {
  /** Name of the recipe, for example `llava`. */
  readonly name: string;
  readonly source: Source;
  /**
   * Tree of all parts: `backbone`, and what the senses name. Paths are those of the checkpoint.
   */
  readonly module: AnyModule;
  /** Ways in beside text, pictures first; none for a text model. */
  readonly senses: readonly Sense[];
  /** The sense of pictures among them, for readers: what `senseOf(model, 'image')` gives. */
  readonly vision?: ImageSense | undefined;
  /** Ways out. */
  readonly heads: readonly Head[];
  /** Where embeddings of the senses enter the backbone: a rule, without parameters of its own. */
  readonly fusion: Fusion;
  /** Numbers of the layers of the backbone that the fusion added. */
  readonly added: readonly number[];
  /** Positions of tokens; they are counted from 0 if there is no rule. */
  readonly positions?: PositionRule | undefined;
  readonly prompt: PromptRule;
  readonly checkpoint: CheckpointNames;
  /** `config.json` that describes the model; saving writes it. */
  readonly config: Json;
}
