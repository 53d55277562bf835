import { ConfigError } from '@weft/errors';
import type { Json } from '@weft/spec';

/** What the headers of a checkpoint's files hold. */
export interface HeldTensors {
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>;
}

/** Fields that count layers: each has tensors of its own. Spellings of all families, and those of our own configurations. */
export const layerFields: readonly string[] = [
  'num_hidden_layers',
  'num_global_layers',
  'image_num_layers',
  'n_layers',
  'n_layer',
  'num_layers',
  'layers',
  'depth',
  'mlp_depth',
  'numHiddenLayers',
  'numGlobalLayers',
  'mlpDepth',
];

/** Fields that count the experts of a layer, which may be one tensor together. */
export const expertFields: readonly string[] = [
  'num_experts',
  'num_local_experts',
  'n_routed_experts',
  'moe_num_experts',
  'numExperts',
];

/** Fields that are sides of tensors. */
const sizeFields =
  /^((?!max_).*_)?(size|dim|heads|channels|chans|tokens)$|^(?!max).*(Size|Dim|Heads|Channels|Tokens|Queries)$/;

/** Sides of pictures and spans of tokens are no sides of tensors. */
const otherSizes = /window|crop|tile_size|tileSize|per_tile|PerTile|image_token|max_/i;

/** Fields that count the tiles of a picture, of which all arrangements are listed. */
export const tileFields: readonly string[] = [
  'max_dynamic_patch',
  'max_tiles',
  'max_num_tiles',
  'max_crops',
  'max_patches',
  'maxTiles',
  'maxNumTiles',
  'maxCrops',
];

const mostTiles = 1000;

/** Limits of the numbers in a config, and how a message words them. */
interface Bounds {
  readonly layers: number;
  /** Experts of all layers together. */
  readonly pieces: number;
  /** Side of a tensor. */
  readonly side: number;
  readonly words: Readonly<Record<'layers' | 'pieces' | 'side', string>>;
}

/**
 * Compares the sizes that configuration files state with what the checkpoint's files hold, before modules are made of them:
 * there are no more layers than tensors, no more experts than tensors and pieces of them, and no side is longer than all
 * elements. What fits those bounds and is wrong is told tensor by tensor when the weights are matched.
 *
 * @param configs by the names of their files, `config.json` among them
 * @param held the files' tensors; without them bounds are far above all that is published
 * @throws ConfigError that names the file, the field, what it states and what the files hold
 */
export function checkConfigBounds(configs: Readonly<Record<string, Json>>, held?: HeldTensors): void {
  const bounds = held ? boundsOf(held) : widest;
  for (const [file, config] of Object.entries(configs)) {
    // A stack of our own: a file may be nested deeper than functions can call each other.
    const open: (readonly [path: string, section: Json])[] = [['', config]];
    for (let next = open.pop(); next; next = open.pop()) {
      const [path, section] = next;
      checkSection(section, { file, path, bounds });
      for (const [field, value] of Object.entries(section))
        if (typeof value === 'object' && value !== null) open.push([`${path}${field}.`, value as Json]);
    }
  }
}

const widest: Bounds = {
  layers: 10_000,
  pieces: 1_000_000,
  side: Infinity,
  words: {
    layers: 'no model has more than 10000 layers',
    pieces: 'no model has more than 1000000 experts in all its layers',
    side: '',
  },
};

function boundsOf({ tensors }: HeldTensors): Bounds {
  const shapes = [...tensors.values()].map(({ shape }) => shape);
  const sum = (of: (shape: readonly number[]) => number): number =>
    shapes.reduce((total, shape) => total + of(shape), 0);
  const pieces = sum((shape) => (shape.length >= 3 ? shape[0]! : 1));
  const elements = sum((shape) => shape.reduce((product, size) => product * size, 1));
  return {
    layers: shapes.length,
    pieces,
    side: elements,
    words: {
      layers: `the files hold ${shapes.length} tensors`,
      pieces: `the files hold ${pieces} tensors and pieces of tensors for the experts of all layers`,
      side: `the files hold ${elements} values in all`,
    },
  };
}

function checkSection(
  section: Json,
  { file, path, bounds }: { readonly file: string; readonly path: string; readonly bounds: Bounds },
): void {
  const largest = (fields: readonly string[]): readonly [field: string, count: number] =>
    fields.reduce<readonly [string, number]>(
      (found, field) => {
        const value = section[field];
        return typeof value === 'number' && value > found[1] ? [field, value] : found;
      },
      ['', 1],
    );
  const require = (isWithin: boolean, field: string, words: string): void => {
    if (isWithin) return;
    throw new ConfigError({
      message: `${file}: ${path}${field} is ${String(section[field])}, but ${words}.`,
      hint: 'The configuration and the weights must come from one checkpoint. Download both again.',
    });
  };
  const { words } = bounds;
  const [layers, experts, tiles] = [largest(layerFields), largest(expertFields), largest(tileFields)];
  require(layers[1] <= bounds.layers, layers[0], words.layers);
  require(experts[1] === 1 || layers[1] * experts[1] <= bounds.pieces, experts[0], words.pieces);
  require(tiles[1] <= mostTiles, tiles[0], `at most ${mostTiles} tiles are cut`);
  for (const [field, value] of Object.entries(section))
    if (typeof value === 'number' && sizeFields.test(field) && !otherSizes.test(field))
      require(value <= bounds.side, field, words.side);
}
