import { dimTerms, namedParameters, type Part } from '@weft/graph';
import type { CrossAttentionOptions } from '@weft/nn';
import {
  part,
  senseOf,
  type Backbone,
  type ConnectorFactory,
  type Fusion,
  type ImagePlacement,
  type Model,
  type VisionEncoder,
} from '@weft/spec';
import { compose, type Composition } from './compose.js';
import { countOperations, heldValues, type Sizes } from './count-operations.js';
import { textGraph, visionGraph } from './graphs.js';
import { findDefinition } from './parts.js';

export interface FusionQuestion {
  readonly encoder: VisionEncoder;
  readonly backbone: Backbone;
  /** One for all methods, or one for each. */
  readonly connector: ConnectorFactory | Readonly<Record<Fusion['method'], ConnectorFactory>>;
  readonly processor: Composition['processor'];
  /** Places and sizes of the cross-attention layers of methods B and H. */
  readonly layers: CrossAttentionOptions;
  /** Sizes of pictures, pixels. */
  readonly images: readonly { readonly width: number; readonly height: number }[];
  /** Tokens of a prompt's text, tags of tiles among them. */
  readonly textTokens: readonly number[];
  /** Bytes of a number in caches; 2 unless given. */
  readonly bytesPerNumber?: number;
}

/** One method over an encoder and a backbone. */
export interface FusionAnswer {
  /** A unified embedding decoder, B cross-attention, H both. */
  readonly method: Fusion['method'];
  readonly parameters: {
    readonly total: number;
    readonly encoder: number;
    readonly connector: number;
    /** Layers that the fusion adds to the backbone. */
    readonly fusion: number;
    /** The backbone without them. */
    readonly backbone: number;
  };
  /** For each picture and each length of text, pictures in the outer loop. */
  readonly cases: readonly FusionCase[];
}

/** What a prompt of one picture and some text costs. */
export interface FusionCase {
  readonly image: { readonly width: number; readonly height: number };
  readonly textTokens: number;
  /** Tiles that the encoder sees. */
  readonly tiles: number;
  /** Tokens of text and picture in the decoder. */
  readonly decoderTokens: number;
  /** Keys of the picture in each cross-attention layer. */
  readonly crossTokens: number;
  readonly flops: {
    /** Encoder and connector. */
    readonly vision: number;
    /** Keys and values of the picture, once. */
    readonly keys: number;
    /** All tokens of the prompt through the decoder. */
    readonly prefill: number;
    /** One token after the prompt. */
    readonly decode: number;
  };
  /** Caches after the prompt, bytes. */
  readonly memory: { readonly tokens: number; readonly images: number };
}

const methods: readonly Fusion['method'][] = ['A', 'B', 'H'];

/**
 * The survey's trade-off in numbers: one encoder and one backbone joined by a unified embedding decoder, by
 * cross-attention, and by both. Nothing is computed; the operations of the models' graphs are counted.
 *
 * @throws ConfigError if the parts do not go together under one of the methods, or a fusion is not installed
 */
export function compareFusions(question: FusionQuestion): Promise<FusionAnswer[]> {
  return Promise.all(
    methods.map(async (method) => {
      const model = await modelBy(method, question);
      const own = count(question.backbone);
      return {
        method,
        parameters: {
          total: count(model.module),
          encoder: count(part(model, 'encoder')),
          connector: count(part(model, 'connector')),
          fusion: count(part(model, 'backbone')) - own,
          backbone: own,
        },
        cases: casesOf(model, question),
      };
    }),
  );
}

const fusionIds = {
  A: 'fusion-unified',
  B: 'fusion-cross-attention',
  H: 'fusion-hybrid',
} as const satisfies Record<Fusion['method'], string>;

async function modelBy(method: Fusion['method'], question: FusionQuestion): Promise<Model> {
  const { encoder, backbone, connector, processor, layers } = question;
  const { create } = await findDefinition('fusion', fusionIds[method]);
  return compose({
    name: `compare-${method}`,
    encoder,
    backbone,
    connector: typeof connector === 'function' ? connector : connector[method],
    fusion: create(method === 'A' ? {} : { ...layers }),
    processor,
    imageTokenId: 0,
  });
}

const count = (tree: Part): number =>
  [...namedParameters(tree).values()].reduce((sum, { elements }) => sum + elements, 0);

function casesOf(model: Model, question: FusionQuestion): FusionCase[] {
  const { images, textTokens, bytesPerNumber = 2 } = question;
  const { processor, cross } = senseOf(model, 'image')!;
  const embeds = visionGraph(model).outputs['image_embeds']!;
  const crossed = textGraph(model);
  const plain = cross ? textGraph(model, { tiles: false }) : crossed;
  const perTile = cross ? cross.tokensPerTile + cross.tagTokens : 0;
  return images.flatMap((image) => {
    const placement = processor.place(image);
    const { tokens, cross: share } = placement;
    const seen = share?.tiles.length ?? 0;
    const graph = seen > 0 ? crossed : plain;
    const visionSizes = sizesOfPicture(model, embeds.shape[0]!, placement);
    const vision = countOperations([embeds], visionSizes).flops;
    return textTokens.map((text): FusionCase => {
      const decoderTokens = text + tokens;
      const placed = model.fusion.method === 'B' ? 0 : tokens;
      const sizes = { ...visionSizes, batch: 1, rows: 1, seen };
      const step = (sequence: number, placedNow: number, past: number) =>
        countOperations(
          Object.values(graph.outputs),
          { ...sizes, sequence, images: placedNow },
          { past, held: true },
        );
      const prefill = step(decoderTokens, placed, 0);
      return {
        image,
        textTokens: text,
        tiles: placement.tiles,
        decoderTokens,
        crossTokens: seen * perTile,
        flops: {
          vision,
          keys: countOperations(heldValues(Object.values(graph.outputs)), { ...sizes, sequence: 1 }).flops,
          prefill: prefill.flops,
          decode: step(1, 0, decoderTokens).flops,
        },
        memory: {
          tokens: prefill.tokenCache * bytesPerNumber,
          images: prefill.imageCache * bytesPerNumber,
        },
      };
    });
  });
}

/** The symbolic sizes of the graph of vision for one picture, from the rows that it must give. */
function sizesOfPicture(model: Model, rows: number | string, { tiles, cross }: ImagePlacement): Sizes {
  const encoded = cross ? 1 + Math.max(...cross.tiles, ...cross.placed) : tiles;
  const perTile = part(model, 'connector').countTokens(part(model, 'encoder').grid!);
  const [[coefficient, symbols]] = dimTerms(rows) as [[number, string[]]];
  return Object.fromEntries(symbols.map((symbol) => [symbol, (encoded * perTile) / coefficient]));
}
