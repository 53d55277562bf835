import {
  add,
  attend,
  concat,
  expand,
  gelu,
  module,
  Parameter,
  repeat,
  reshape,
  slice,
  type AnyModule,
  type Value,
} from '@weft/graph';
import { layerNorm, linear, mergeHeads, splitHeads } from '@weft/nn';
import {
  checkConfig,
  type ConnectorFactory,
  type ImageFeatures,
  type PartDefinition,
  type Source,
} from '@weft/spec';

export interface ResamplerOptions {
  /** Tokens of a tile, whatever its size. Flamingo has 64. */
  readonly numLatents?: number;
  /** Layers. Flamingo has 6. */
  readonly depth?: number;
  readonly numHeads?: number;
  readonly headDim?: number;
  /** Width of the MLPs, as a multiple of the features' channels. */
  readonly mlpRatio?: number;
}

const source: Source = {
  paper: 'https://arxiv.org/abs/2204.14198',
  code: 'https://github.com/mlfoundations/open_flamingo/blob/655f693fbfa04cd6e9a987d960654624d48917cf/open_flamingo/src/helpers.py',
};

/** PyTorch's default. */
const eps = 1e-5;

/**
 * Perceiver resampler of Flamingo: learnt queries attend to the features and to themselves, layer after layer, and
 * become the tokens of the picture; names are those of OpenFlamingo. A last linear layer, `proj`, which Flamingo has
 * within its cross-attention, brings them to the width of the text.
 */
export function resamplerConnector(options: ResamplerOptions = {}): ConnectorFactory {
  checkConfig(resamplerPart, options);
  const { numLatents = 64, depth = 6, numHeads = 8, headDim = 64, mlpRatio = 4 } = options;
  return ({ visionSize, textSize }) =>
    module(
      'PerceiverResampler',
      {
        latents: new Parameter([numLatents, visionSize], { kind: 'normal', std: 1 }),
        // The checkpoint has pairs in a list.
        layers: repeat(depth, () => ({
          0: latentAttention(visionSize, numHeads, headDim),
          1: latentMlp(visionSize, visionSize * mlpRatio),
        })),
        norm: layerNorm(visionSize, eps),
        proj: linear(visionSize, textSize, { bias: false }),
      },
      {
        connect: (m, { hiddenStates }: ImageFeatures) => {
          const tiles = hiddenStates.shape[0]!;
          const start = expand(reshape(m.latents, [1, numLatents, visionSize]), [
            tiles,
            numLatents,
            visionSize,
          ]);
          const latents = m.layers.reduce((x, { 0: attention, 1: mlp }) => {
            const h = add(x, attention(hiddenStates, x));
            return add(h, mlp(h));
          }, start);
          return reshape(m.proj(m.norm(latents)), [-1, textSize]);
        },
      },
      {
        facts: () => ({
          id: 'connector-resampler',
          source,
          config: { numLatents, depth, numHeads, headDim, mlpRatio },
          countTokens: () => numLatents,
        }),
      },
    );
}

/** Latents `[T, L, D]` attend to features `[T, P, D]` and to themselves. */
const latentAttention = (
  size: number,
  heads: number,
  headDim: number,
): AnyModule & ((features: Value, latents: Value) => Value) => {
  const inner = heads * headDim;
  return module(
    'LatentAttention',
    {
      norm_media: layerNorm(size, eps),
      norm_latents: layerNorm(size, eps),
      to_q: linear(size, inner, { bias: false }),
      to_kv: linear(size, 2 * inner, { bias: false }),
      to_out: linear(inner, size, { bias: false }),
    },
    (m, features: Value, latents: Value) => {
      const queries = m.norm_latents(latents);
      const both = m.to_kv(concat([m.norm_media(features), queries], 1));
      const [k, v] = [slice(both, 2, 0, inner), slice(both, 2, inner, 2 * inner)];
      const [q, keys, values] = [m.to_q(queries), k, v].map((x) => splitHeads(x, heads));
      return m.to_out(mergeHeads(attend(q!, keys!, values!)));
    },
  );
};

/** The places of a PyTorch `Sequential` of norm, linear, GELU, linear. */
const latentMlp = (size: number, inner: number): AnyModule & ((x: Value) => Value) =>
  module(
    'LatentMlp',
    {
      norm: layerNorm(size, eps),
      up: linear(size, inner, { bias: false }),
      down: linear(inner, size, { bias: false }),
    },
    (m, x: Value) => m.down(gelu(m.up(m.norm(x)))),
    { paths: { norm: '0', up: '1', down: '3' } },
  );

/** Flamingo's resampler, by its name. */
export const resamplerPart: PartDefinition<'connector', ResamplerOptions> = {
  id: 'connector-resampler',
  kind: 'connector',
  create: (config) => resamplerConnector(config),
  fields: {
    numLatents: { optional: 'count' },
    depth: { optional: 'layers' },
    numHeads: { optional: 'count' },
    headDim: { optional: 'count' },
    mlpRatio: { optional: 'positive' },
  },
  presets: {},
  source,
};
