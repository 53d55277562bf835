import { namedParameters, trace, type Parameter, type Part } from '@weft/graph';
import {
  findPart,
  part,
  senseOf,
  type Component,
  type Fusion,
  type ImageSense,
  type Json,
  type Model,
} from '@weft/spec';

/** A part of a model in numbers. */
export interface PartDescription {
  readonly id: string;
  readonly config: Json;
  readonly parameters: number;
}

/** Width and height in pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** How a picture becomes tokens. */
export interface ImageDescription extends ImageSize {
  readonly tiles: number;
  readonly tokens: number;
  /** How `tokens` is counted. */
  readonly formula: string;
}

/** What `weft inspect` says of a model. */
export interface ModelDescription {
  readonly name: string;
  /** Recipe that built it. */
  readonly recipe: string;
  readonly paper: string;
  /** Method of the survey: A unified embedding decoder, B cross-attention, H both. */
  readonly method: Fusion['method'];
  /** `decoder` is the backbone with its token table, without a head of its own; the four add up to `total`. */
  readonly parameters: {
    readonly total: number;
    readonly vision: number;
    readonly projector: number;
    readonly decoder: number;
    readonly head: number;
  };
  readonly parts: {
    readonly encoder: PartDescription | null;
    readonly connector: PartDescription | null;
    readonly fusion: Omit<PartDescription, 'parameters'>;
    readonly backbone: PartDescription;
  };
  /** Shapes on the way from pixels to logits; `L` is the length of the prompt. */
  readonly shapes: {
    readonly pixels: readonly (string | number)[] | null;
    readonly features: readonly (string | number)[] | null;
    readonly embeddings: readonly (string | number)[] | null;
    readonly hiddenStates: readonly (string | number)[];
    readonly logits: readonly (string | number)[];
  };
  /** Tokens that a picture of the size in `image` takes up; `null` for text models. */
  readonly tokensPerImage: number | null;
  readonly image: ImageDescription | null;
}

/** @param size of the picture whose tokens are counted; one tile of the encoder unless given */
export function describeModel(name: string, model: Model, size?: ImageSize): ModelDescription {
  const { fusion } = model;
  const backbone = part(model, 'backbone');
  const [encoder, connector] = [findPart(model, 'encoder'), findPart(model, 'connector')];
  const head = sum(headParameters(model));
  const decoder = count(backbone) - head;
  const described = (component: Component): PartDescription => ({
    id: component.id,
    config: component.config,
    parameters: count(component),
  });
  const image = describeImage(model, size);
  return {
    name,
    recipe: model.name,
    paper: model.source.paper,
    method: fusion.method,
    parameters: {
      total: count(model.module),
      vision: encoder ? count(encoder) : 0,
      projector: connector ? count(connector) : 0,
      decoder,
      head,
    },
    parts: {
      encoder: encoder ? described(encoder) : null,
      connector: connector ? described(connector) : null,
      fusion: { id: fusion.id, config: fusion.config },
      backbone: described(backbone),
    },
    shapes: shapesOf(model, image),
    tokensPerImage: image && image.tokens,
    image,
  };
}

const sum = (parameters: Iterable<Parameter>): number =>
  [...parameters].reduce((total, { elements }) => total + elements, 0);
const count = (tree: Part): number => sum(namedParameters(tree).values());

/** Parameters that only the head uses: none if it is the token table. */
function headParameters(model: Model): Parameter[] {
  const { module } = model;
  const backbone = part(model, 'backbone');
  const head = trace(
    module,
    { hidden_states: { dtype: 'float32', shape: ['rows', backbone.shape.hiddenSize] } },
    ({ hidden_states }) => ({
      logits: backbone.head(hidden_states),
    }),
  );
  const table = trace(
    module,
    { input_ids: { dtype: 'int64', shape: ['batch', 'sequence'] } },
    ({ input_ids }) => ({
      hidden_states: backbone.embed(input_ids),
    }),
  );
  const all = namedParameters(module);
  return [...head.parameters.keys()]
    .filter((path) => !table.parameters.has(path))
    .map((path) => all.get(path)!);
}

/** Tiles that go through the encoder: some only fill up. */
function encodedTiles({ processor }: ImageSense, { width, height, tiles }: ImageDescription): number {
  const { cross } = processor.place({ width, height });
  return cross ? 1 + Math.max(...cross.tiles, ...cross.placed) : tiles;
}

function shapesOf(model: Model, image: ImageDescription | null): ModelDescription['shapes'] {
  const sense = senseOf(model, 'image');
  const { hiddenSize, vocabSize } = part(model, 'backbone').shape;
  const text = { hiddenStates: [1, 'L', hiddenSize], logits: [1, 'L', vocabSize] };
  if (!sense || !image) return { pixels: null, features: null, embeddings: null, ...text };
  const encoder = part(model, 'encoder');
  const [tiles, ...rest] = Object.values(encoder.inputs)[0]!.shape;
  const patches = encoder.grid ? encoder.grid[0] * encoder.grid[1] : 'patches';
  const encoded = encodedTiles(sense, image);
  // Some encoders take the tiles of a picture along an axis of their own.
  const together = rest.slice(0, -3).reduce<number>((product, side) => product * Number(side), 1);
  return {
    pixels: [typeof tiles === 'string' ? encoded / together : tiles!, ...rest],
    features: [encoded, patches, encoder.hiddenSize],
    embeddings: [sense.cross ? encoded * sense.cross.tokensPerTile : image.tokens, hiddenSize],
    ...text,
  };
}

function describeImage(model: Model, size?: ImageSize): ImageDescription | null {
  const sense = senseOf(model, 'image');
  if (!sense) return null;
  const { width, height } = size ?? tileOf(part(model, 'encoder').inputs['pixel_values']?.shape);
  const { tiles, tokens, formula } = sense.processor.place({ width, height });
  return { width, height, tiles, tokens, formula };
}

/** The side lengths of one tile; encoders of free resolution get a usual picture. */
function tileOf(shape: readonly (string | number)[] = []): ImageSize {
  const [height, width] = shape.slice(-2);
  return typeof width === 'number' && typeof height === 'number'
    ? { width, height }
    : { width: 640, height: 480 };
}
