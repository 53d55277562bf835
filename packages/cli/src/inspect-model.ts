import { readdir, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { ConfigError, NoticeList, printableLine, withFileErrors, type Notice } from '@weft/errors';
import { checkConfigBounds, modelOf, presetModel, presetNames } from '@weft/models';
import { importPackage, readCheckpointFiles, type UnusedTensor } from '@weft/runtime';
import type { Model } from '@weft/spec';
import { describeModel, type ImageSize, type ModelDescription } from './describe-model.js';
import { drawModel } from './draw-model.js';
import { givenFolder } from './given-folder.js';
import { openFolder } from './open-folder.js';
import { bytesText, grouped, jsonText, styleOf, table, type TerminalStream } from './terminal.js';

/** What a checkpoint folder holds besides the model's description. */
interface FolderDescription {
  readonly folder: string;
  /** Safetensors files; `null` where the folder has none. */
  readonly files:
    | readonly { readonly name: string; readonly bytes: number; readonly tensors: number }[]
    | null;
  /** Number of values of each type. */
  readonly dtypes: Readonly<Record<string, number>>;
  readonly unusedTensors: readonly UnusedTensor[];
  /** What the files say and the model does not apply. */
  readonly notices: readonly Notice[];
}

export interface InspectOptions {
  readonly image: ImageSize | undefined;
  readonly json: boolean;
  /** Where the text goes; decides on colours. */
  readonly stream: TerminalStream;
}

/**
 * What `weft inspect` writes about a folder, a published size, or `tiny`.
 *
 * @throws ConfigError that lists the published sizes, if there is neither
 */
export async function inspectModel(given: string, { image, json, stream }: InspectOptions): Promise<string> {
  const path = await givenFolder(given);
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const { description, folder } = isFolder
    ? await describeFolder(path, given === 'tiny' ? given : basename(resolve(path)), image)
    : { description: describeModel(given, await presetOf(given), image), folder: undefined };
  if (json) return jsonText({ ...description, ...folder }, 2);
  return `${drawModel(description, stream)}\n${folder ? `\n${folderText(folder, stream)}\n` : ''}`;
}

function presetOf(name: string): Promise<Model> {
  if (!presetNames().includes(name))
    throw new ConfigError({
      message: `'${name}' is neither a folder nor a published size.`,
      hint: `Published sizes: ${presetNames().join(', ')}.`,
    });
  return presetModel(name);
}

async function describeFolder(
  path: string,
  name: string,
  image: ImageSize | undefined,
): Promise<{ readonly description: ModelDescription; readonly folder: FolderDescription }> {
  const root = resolve(path);
  const hasWeights = (await withFileErrors(root, () => readdir(root))).some((file) =>
    file.endsWith('.safetensors'),
  );
  if (!hasWeights) {
    const { config, preprocessor, recipe } = await readCheckpointFiles(root);
    checkConfigBounds({ 'config.json': config, 'preprocessor_config.json': preprocessor });
    const description = describeModel(name, await modelOf(config, { ...recipe, importPackage }), image);
    return { description, folder: { folder: root, files: null, dtypes: {}, unusedTensors: [], notices: [] } };
  }
  const notices = new NoticeList();
  const { model, checkpoint, unused } = await openFolder(root, { notice: notices.take });
  const entries = [...checkpoint.tensors.values()];
  const dtypes: Record<string, number> = {};
  for (const { dtype, shape } of entries)
    dtypes[dtype] = (dtypes[dtype] ?? 0) + shape.reduce((product, side) => product * side, 1);
  const files = await Promise.all(
    checkpoint.files.map(async (file) => ({
      name: basename(file),
      bytes: (await withFileErrors(file, () => stat(file))).size,
      tensors: entries.filter((entry) => entry.file === file).length,
    })),
  );
  return {
    description: describeModel(name, model, image),
    folder: {
      folder: root,
      files,
      dtypes,
      unusedTensors: unused.map(({ name, reason }) => ({ name, reason })),
      notices: notices.all,
    },
  };
}

function folderText(
  { folder, files, dtypes, unusedTensors, notices }: FolderDescription,
  stream: TerminalStream,
): string {
  const { bold } = styleOf(stream);
  if (!files) return `${bold(printableLine(folder))}\nNo weights: the folder has no safetensors files.`;
  return [
    bold(printableLine(folder)),
    table([
      ['file', 'size', 'tensors'],
      ...files.map(({ name, bytes, tensors }) => [printableLine(name), bytesText(bytes), String(tensors)]),
    ]),
    `Values: ${Object.entries(dtypes)
      .map(([dtype, count]) => `${grouped(count)} ${dtype}`)
      .join(', ')}.`,
    unusedTensors.length === 0
      ? 'Every tensor has its place in the model.'
      : 'Tensors that the model does not use:',
    ...unusedTensors.map(({ name, reason }) => `  ${printableLine(name)}: ${printableLine(reason)}`),
    ...(notices.length > 0 ? ['Not applied as the files say it:'] : []),
    ...notices.map(({ where, message }) => `  ${printableLine(where)}: ${printableLine(message)}`),
  ].join('\n');
}
