import { attentionPoolConnector } from '@weft/connector-attention-pool';
import { cAbstractorConnector } from '@weft/connector-c-abstractor';
import { convPoolConnector } from '@weft/connector-conv-pool';
import { linearConnector } from '@weft/connector-linear';
import { mlpConnector } from '@weft/connector-mlp';
import { pixelShuffleConnector, shuffleMlpConnector } from '@weft/connector-pixel-shuffle';
import { resamplerConnector } from '@weft/connector-resampler';
import { clip, clipPresets } from '@weft/encoder-clip';
import { internVit, internVitPresets } from '@weft/encoder-intern-vit';
import { siglip, siglipPresets } from '@weft/encoder-siglip';
import { ConfigError } from '@weft/errors';
import { part, type Backbone, type ConnectorFactory, type VisionEncoder } from '@weft/spec';
import { presetModel } from './presets.js';

type Made<T> = Readonly<Record<string, () => T>>;

/** Towers that take tiles of one size. */
const encoders: Made<VisionEncoder> = Object.fromEntries([
  ...Object.entries(clipPresets).map(([name, c]) => [`clip-${name}`, () => clip(c)]),
  ...Object.entries(siglipPresets).map(([name, c]) => [`siglip-${name}`, () => siglip(c)]),
  ...Object.entries(internVitPresets).map(([name, c]) => [name, () => internVit(c)]),
]) as Made<VisionEncoder>;

/** Connectors in their usual form; those that join patches join two by two. */
const connectors: Made<ConnectorFactory> = {
  'attention-pool': () => attentionPoolConnector(),
  'c-abstractor': () => cAbstractorConnector(),
  'conv-pool': () => convPoolConnector(),
  linear: () => linearConnector(),
  mlp: () => mlpConnector(),
  'pixel-shuffle': () => pixelShuffleConnector({ scaleFactor: 2 }),
  'shuffle-mlp': () => shuffleMlpConnector({ scaleFactor: 2 }),
  resampler: () => resamplerConnector(),
};

/** Names that `presetEncoder` knows: family and published size, such as `siglip-so400m-patch14-384`. */
export const presetEncoderNames = (): string[] => Object.keys(encoders);

/** Names that `presetConnector` knows. */
export const presetConnectorNames = (): string[] => Object.keys(connectors);

/**
 * A vision tower of a published size, without weights.
 *
 * @throws ConfigError that lists the names
 */
export const presetEncoder = (name: string): VisionEncoder => madeOf('vision encoder', encoders, name);

/**
 * A connector by its idea: `attention-pool`, `c-abstractor`, `conv-pool`, `linear`, `mlp`, `pixel-shuffle`, `shuffle-mlp` or `resampler`.
 *
 * @throws ConfigError that lists the names
 */
export const presetConnector = (name: string): ConnectorFactory => madeOf('connector', connectors, name);

/**
 * The language model of a published model, of those with sight as well.
 *
 * @throws ConfigError that lists the names, or if the model has cross-attention layers of its own
 */
export function presetBackbone(name: string): Backbone {
  const model = presetModel(name);
  if (model.added.length > 0)
    throw new ConfigError({
      message: `The language model of '${name}' has cross-attention layers already.`,
      hint: 'Choose the language model that it was made of.',
    });
  return part(model, 'backbone');
}

function madeOf<T>(kind: string, known: Made<T>, name: string): T {
  if (!Object.hasOwn(known, name))
    throw new ConfigError({
      message: `There is no ${kind} '${name}'.`,
      hint: `Known: ${Object.keys(known).join(', ')}.`,
    });
  return known[name]!();
}
