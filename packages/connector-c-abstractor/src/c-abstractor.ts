import { ConfigError, ShapeError } from '@weft/errors';
import { add, concat, expand, module, Parameter, reshape, silu, type Value } from '@weft/graph';
import { layerNorm, linear, type Linear } from '@weft/nn';
import {
  checkConfig,
  configReader,
  type ConnectorFactory,
  type ImageFeatures,
  type Json,
  type PatchGrid,
  type PartDefinition,
  type Source,
} from '@weft/spec';
import { adaptiveAveragePool } from './adaptive-pool.js';
import { regStage } from './reg-stage.js';

export interface CAbstractorOptions {
  /** Tokens of a tile, a square number. Honeybee has 144, 256 or 576, MM1 144. */
  readonly numQueryTokens?: number;
  /** Channels of the blocks. */
  readonly hiddenSize?: number;
  /** Blocks before the pooling, and as many after it; without blocks it is the pooling alone. */
  readonly depth?: number;
  /** Linear layers after the blocks. */
  readonly mlpDepth?: number;
  /** Whether a learnt table is added to the features first. */
  readonly posEmb?: boolean;
  /** Learnt tokens behind those of each tile. */
  readonly numEosTokens?: number;
  /** Whether the features are normed first. */
  readonly prenorm?: boolean;
}

const source: Source = {
  paper: 'https://arxiv.org/abs/2312.06742',
  code: 'https://github.com/khanrc/honeybee/blob/2658d5a21fe4eb7cb17066dec3f7fa1efa7a65ef/honeybee/projectors/projectors.py',
};

const defaults = {
  numQueryTokens: 144,
  hiddenSize: 1024,
  depth: 3,
  mlpDepth: 2,
  posEmb: true,
  numEosTokens: 0,
  prenorm: false,
} as const satisfies Required<CAbstractorOptions>;

/**
 * C-Abstractor of Honeybee, which MM1 and MM1.5 took over: RegNet blocks, adaptive average pooling to a square of
 * tokens, RegNet blocks, and linear layers. Neighbourhoods stay neighbourhoods, and the number of tokens is free.
 *
 * @throws ConfigError if the number of tokens is not a square
 * @throws ShapeError if the encoder has no fixed grid
 */
export function cAbstractorConnector(options: CAbstractorOptions = {}): ConnectorFactory {
  const c = { ...defaults, ...checkConfig(cAbstractorPart, options) };
  const side = Math.sqrt(c.numQueryTokens);
  if (!Number.isInteger(side) || side < 1)
    throw new ConfigError({
      message: `A C-Abstractor pools to a square of tokens, but numQueryTokens is ${c.numQueryTokens}.`,
      hint: 'Choose a square number, such as 64, 144 or 256.',
    });
  const tokens = c.numQueryTokens + c.numEosTokens;

  return ({ visionSize, textSize, grid }) => {
    if (!grid)
      throw new ShapeError({
        message: 'A C-Abstractor needs features with a fixed grid, which the encoder does not have.',
        hint: 'Give the encoder an image size, or choose a connector for pictures of any size.',
      });
    const [rows, columns] = grid;
    const width = c.depth > 0 ? c.hiddenSize : visionSize;
    return module(
      'CAbstractor',
      {
        eos_tokens: c.numEosTokens > 0 ? new Parameter([1, c.numEosTokens, textSize]) : null,
        pos_emb: c.posEmb ? new Parameter([1, rows * columns, visionSize]) : null,
        prenorm: c.prenorm ? layerNorm(visionSize, 1e-6) : null,
        // The places of a PyTorch `Sequential`; the pooling between the stages has no parameters.
        net:
          c.depth > 0
            ? { 0: regStage(c.depth, visionSize, width), 2: regStage(c.depth, width, width) }
            : null,
        readout: readoutLayers(c.mlpDepth, width, textSize),
      },
      {
        connect: (m, { hiddenStates }: ImageFeatures) => {
          const tiles = hiddenStates.shape[0]!;
          const normed = m.prenorm ? m.prenorm(hiddenStates) : hiddenStates;
          const placed = reshape(m.pos_emb ? add(normed, m.pos_emb) : normed, [
            tiles,
            rows,
            columns,
            visionSize,
          ]);
          const pool = (x: Value): Value => adaptiveAveragePool(x, grid, side);
          const pooled = m.net ? m.net[2](pool(m.net[0](placed))) : pool(placed);
          const read = Object.values(m.readout).reduce(
            (x, layer, i) => layer(i > 0 ? silu(x) : x),
            reshape(pooled, [tiles, c.numQueryTokens, width]),
          );
          const all = m.eos_tokens
            ? concat([read, expand(m.eos_tokens, [tiles, c.numEosTokens, textSize])], 1)
            : read;
          return reshape(all, [-1, textSize]);
        },
      },
      {
        facts: () => ({
          id: 'connector-c-abstractor',
          source,
          config: c,
          countTokens: (own: PatchGrid) => {
            if (own[0] === rows && own[1] === columns) return tokens;
            throw new ShapeError({
              message: `This C-Abstractor was made for a grid of ${rows} x ${columns}, but the encoder's is ${own.join(' x ')}.`,
              hint: 'Its table of positions has a row for each patch; make the connector for the other grid.',
            });
          },
        }),
      },
    );
  };
}

/** Linear layers with activations between them, at the places of a PyTorch `Sequential`. */
const readoutLayers = (depth: number, inSize: number, outSize: number): Readonly<Record<string, Linear>> =>
  Object.fromEntries(
    Array.from({ length: depth }, (_, i) => [2 * i, linear(i === 0 ? inSize : outSize, outSize)]),
  );

/**
 * Reads the `projector_config` of a Honeybee checkpoint.
 *
 * @throws ConfigError if the projector is another one, or a field is not of its type
 */
export function readCAbstractorConfig(section: Json): Required<CAbstractorOptions> {
  const read = configReader(section, 'projector_config');
  const type = read.string('projector_type', 'c-abs');
  if (type !== 'c-abs')
    throw new ConfigError({
      message: `config.json: projector_config.projector_type is '${type}', expected 'c-abs'.`,
      hint: "Honeybee's other projectors are parts of their own: mlp is connector-mlp.",
    });
  return {
    numQueryTokens: read.number('num_query_tokens'),
    hiddenSize: read.number('hidden_size', 1024),
    depth: read.number('depth'),
    mlpDepth: read.number('mlp_depth'),
    posEmb: read.boolean('pos_emb', false),
    numEosTokens: read.number('num_eos_tokens', 1),
    prenorm: read.boolean('prenorm', false),
  };
}

/** The `projector_config` of a Honeybee checkpoint. */
export function cAbstractorSection(options: CAbstractorOptions): Json {
  const c = { ...defaults, ...options };
  return {
    projector_type: 'c-abs',
    num_query_tokens: c.numQueryTokens,
    hidden_size: c.hiddenSize,
    depth: c.depth,
    mlp_depth: c.mlpDepth,
    pos_emb: c.posEmb,
    num_eos_tokens: c.numEosTokens,
    prenorm: c.prenorm,
  };
}

/** The C-Abstractor, by its name. */
export const cAbstractorPart: PartDefinition<'connector', CAbstractorOptions> = {
  id: 'connector-c-abstractor',
  kind: 'connector',
  create: (config) => cAbstractorConnector(config),
  fields: {
    numQueryTokens: { optional: 'count' },
    hiddenSize: { optional: 'count' },
    depth: { optional: 'layers' },
    mlpDepth: { optional: 'layers' },
    posEmb: { optional: 'flag' },
    numEosTokens: { optional: 'amount' },
    prenorm: { optional: 'flag' },
  },
  presets: {},
  source,
  read: readCAbstractorConfig,
  write: cAbstractorSection,
};
