import { readdir, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { ConfigError } from '@weft/errors';
import { modelOf, presetModel, presetNames } from '@weft/models';
import { readCheckpointFiles, type UnusedTensor } from '@weft/runtime';
import { InvalidArgumentError, type Command } from 'commander';
import { describeModel, type ImageSize, type ModelDescription } from '../describe-model.js';
import { drawModel } from '../draw-model.js';
import { openFolder } from '../open-folder.js';
import type { Context } from '../run.js';
import { bytesText, grouped, printable, styleOf, table } from '../terminal.js';

/** What a checkpoint folder holds beside the model's description. */
interface FolderDescription {
  readonly folder: string;
  /** Safetensors files; `null` where the folder has none. */
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly tensors: number }[] | null;
  /** Number of values of each type. */
  readonly dtypes: Readonly<Record<string, number>>;
  readonly unusedTensors: readonly UnusedTensor[];
}

/** `weft inspect`: what a model is made of. */
export function addInspectCommand(program: Command, _context: Context): void {
  program
    .command('inspect')
    .summary('show what a model is made of')
    .description(
      'Draws the composition of a model, from the image to the text: parts, shapes, parameters, tokens per image. A published size needs no weights. Of a folder it also tells files, types, and tensors that have no place in the model.',
    )
    .argument('<model>', 'checkpoint folder, name of a published size, or "tiny" for the embedded model')
    .option('--image <WxH>', 'size of the picture whose tokens are counted, pixels', parseSize)
    .option('--json', 'print one JSON object')
    .addHelpText('after', () => `\nExample:\n  $ weft inspect smolvlm-256m --image 1280x720\n\nPublished sizes: ${presetNames().join(', ')}`)
    .action(async (given: string, { image, json }: { readonly image?: ImageSize; readonly json?: boolean }) => {
      const path = given === 'tiny' ? (await import('@weft/tiny')).tinyFolder() : given;
      const isFolder = await stat(path).then(
        (found) => found.isDirectory(),
        () => false,
      );
      const { description, folder } = isFolder ? await describeFolder(path, image) : { description: describeModel(given, presetOf(given), image), folder: undefined };
      if (json) process.stdout.write(`${JSON.stringify({ ...description, ...folder }, null, 2)}\n`);
      else process.stdout.write(`${drawModel(description, process.stdout)}\n${folder ? `\n${folderText(folder)}\n` : ''}`);
    });
}

function parseSize(text: string): ImageSize {
  const [, width, height] = /^(\d{1,6})[x×](\d{1,6})$/i.exec(text) ?? [];
  if (!Number(width) || !Number(height)) throw new InvalidArgumentError('Expected a size such as 640x480.');
  return { width: Number(width), height: Number(height) };
}

function presetOf(name: string) {
  if (!presetNames().includes(name))
    throw new ConfigError({ message: `'${name}' is neither a folder nor a published size.`, hint: `Published sizes: ${presetNames().join(', ')}.` });
  return presetModel(name);
}

async function describeFolder(path: string, image: ImageSize | undefined): Promise<{ readonly description: ModelDescription; readonly folder: FolderDescription }> {
  const root = resolve(path);
  const name = basename(root);
  const hasWeights = (await readdir(root)).some((file) => file.endsWith('.safetensors'));
  if (!hasWeights) {
    const { config, preprocessor } = await readCheckpointFiles(root);
    const description = describeModel(name, modelOf(config, { preprocessor }), image);
    return { description, folder: { folder: root, files: null, dtypes: {}, unusedTensors: [] } };
  }
  const { model, checkpoint, unused } = await openFolder(root);
  await checkpoint.close();
  const entries = [...checkpoint.tensors.values()];
  const dtypes: Record<string, number> = {};
  for (const { dtype, shape } of entries) dtypes[dtype] = (dtypes[dtype] ?? 0) + shape.reduce((product, side) => product * side, 1);
  const files = await Promise.all(
    checkpoint.files.map(async (file) => ({ name: basename(file), bytes: (await stat(file)).size, tensors: entries.filter((entry) => entry.file === file).length })),
  );
  return { description: describeModel(name, model, image), folder: { folder: root, files, dtypes, unusedTensors: unused } };
}

function folderText({ folder, files, dtypes, unusedTensors }: FolderDescription): string {
  const { bold } = styleOf(process.stdout);
  if (!files) return `${bold(printable(folder))}\nNo weights: the folder has no safetensors files.`;
  return [
    bold(printable(folder)),
    table([['file', 'size', 'tensors'], ...files.map(({ name, bytes, tensors }) => [printable(name), bytesText(bytes), String(tensors)])]),
    `Values: ${Object.entries(dtypes).map(([dtype, count]) => `${grouped(count)} ${dtype}`).join(', ')}.`,
    unusedTensors.length === 0 ? 'Every tensor has its place in the model.' : 'Tensors that the model does not use:',
    ...unusedTensors.map(({ name, reason }) => `  ${printable(name)}: ${reason}`),
  ].join('\n');
}
