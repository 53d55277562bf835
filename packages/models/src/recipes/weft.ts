import type { AnyModule } from '@weft/graph';
import {
  configReader,
  type CheckpointNames,
  type ImageProcessor,
  type Json,
  type Model,
  type PartKind,
  type PartKinds,
  type ProcessorFactory,
  type PromptRule,
  type Source,
  type VideoProcessor,
} from '@weft/spec';
import { compose, textModel, type PartPaths, type VideoComposition } from '../compose.js';
import type { CrossComposition } from '../cross-sight.js';
import { findDefinition, type FoundDefinition } from '../parts.js';
import { readProcessor } from '../processor-of.js';
import type { RecipeDefinition, RecipeFiles } from '../recipe.js';
import { textNames } from '../text.js';

/** A part that a section describes: its definition, and what that made. */
interface Made<K extends PartKind> {
  readonly part: FoundDefinition<K>;
  readonly made: PartKinds[K];
  /** Paths inside of the part that are not its own. */
  readonly paths: Readonly<Record<string, string>>;
}

/** The recipe of `model_type: weft`: any composition, described by its parts' ids and configurations. */
async function readWeft(config: Json, files: RecipeFiles = {}): Promise<Model> {
  const read = configReader(config, 'config');
  const parts = sectionReader(config, files);
  const [backbone, fusion] = await Promise.all([parts.read('backbone'), parts.read('fusion')]);
  const own = withOwnPaths(backbone.made, backbone.paths);
  const common = {
    name: read.string('name', 'weft'),
    ...('source' in config ? { source: read.section('source') as unknown as Source } : {}),
    backbone: own,
    fusion: fusion.made,
    config,
  };
  if (config['encoder'] === undefined)
    return textModel({ ...common, checkpoint: textNames(own, backbone.part) });
  const [encoder, connector, arranger, positions, processor, video] = await Promise.all([
    parts.read('encoder'),
    parts.read('connector'),
    parts.has('arranger') ? parts.read('arranger') : undefined,
    parts.has('positions') ? parts.read('positions') : undefined,
    parts.has('processor')
      ? parts.read('processor').then(({ made }) => made)
      : readProcessor(files.preprocessor ?? {}, files),
    parts.has('video') ? readVideo(read.section('video'), files) : undefined,
  ]);
  return compose({
    ...common,
    encoder: withOwnPaths(encoder.made, encoder.paths),
    connector: (context) => withOwnPaths(connector.made(context), connector.paths),
    ...(arranger ? { arranger: (context) => withOwnPaths(arranger.made(context), arranger.paths) } : {}),
    processor: processor as ProcessorFactory<ImageProcessor>,
    ...(video ? { video } : {}),
    ...(positions ? { positions: positions.made } : {}),
    ...('cross' in config ? { cross: read.section('cross') as CrossComposition } : {}),
    prompt: read.section('prompt', {}) as PromptRule,
    imageTokenId: read.number('image_token_id'),
    placeholder: read.string('placeholder', '<image>'),
    paths: read.section('paths', {}) as Partial<PartPaths>,
    checkpoint: {
      ...textNames(own, backbone.part),
      split: splitBy([encoder.part.split, connector.part.split, backbone.part.split]),
    },
  });
}

/** The first of several that knows a tensor. */
const splitBy =
  (splits: readonly CheckpointNames['split'][]): NonNullable<CheckpointNames['split']> =>
  (name, shape) => {
    for (const split of splits) {
      const pieces = split?.(name, shape);
      if (pieces) return pieces;
    }
    return undefined;
  };

const withOwnPaths = <P extends AnyModule>(part: P, paths: Readonly<Record<string, string>>): P =>
  Object.keys(paths).length === 0 ? part : (part.withPaths(paths) as P);

/** Reads sections `{ id, config, package, paths }`, each named after its kind. */
function sectionReader(config: Json, files: RecipeFiles) {
  return {
    has: (kind: PartKind | 'video'): boolean => config[kind] !== undefined,
    read: async <K extends PartKind>(kind: K, name: string = kind): Promise<Made<K>> => {
      const section = configReader(configReader(config, 'config').section(name), name);
      const home = section.raw('package') === undefined ? undefined : section.string('package');
      const part = await findDefinition(kind, section.string('id'), files, home);
      return {
        part,
        made: part.create(section.section('config', {})),
        paths: section.section('paths', {}) as Readonly<Record<string, string>>,
      };
    },
  };
}

async function readVideo(section: Json, files: RecipeFiles): Promise<VideoComposition> {
  const read = configReader(section, 'video');
  const { made } = await sectionReader(section, files).read('processor');
  return {
    processor: made as ProcessorFactory<VideoProcessor>,
    placeholder: read.string('placeholder'),
    tokenId: read.number('token_id'),
  };
}

export const weftRecipe: RecipeDefinition = {
  name: 'weft',
  types: ['weft'],
  presets: {},
  read: readWeft,
};
