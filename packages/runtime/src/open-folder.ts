import { importPackage } from '#backend';
import { ConfigError, type TakeNotice } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import {
  checkConfigBounds,
  modelOf,
  partOf,
  untied,
  type PartInCheckpoint,
  type PartName,
  type RecipeFiles,
} from '@weft/models';
import { publishedFormat, type PublishedFormat } from '@weft/quantize';
import { part, type Json, type Model, type PartDefinition } from '@weft/spec';
import {
  holdsValues,
  isJoined,
  matchWeights,
  openCheckpoint,
  sameValues,
  type Checkpoint,
  type JoinTensors,
  type MatchedWeights,
  type UnusedEntry,
  type UnusedReason,
} from '@weft/weights';
import { readCheckpointFiles, type CheckpointFiles } from './checkpoint-files.js';
import { checkStoredWeights, quantisedTensors } from './folder-kind.js';

/** A checkpoint folder as it lies on the disk: headers are read and compared, nothing is computed yet. */
export interface OpenFolder {
  /** The configuration files. `config` says of the head what the weights do: it is not tied where they hold another one. */
  readonly files: CheckpointFiles;
  readonly model: Model;
  /** The files' tensors; it is closed. */
  readonly checkpoint: Checkpoint;
  /** The tensor of each parameter, or the tensors; a piece of a stored tensor where a checkpoint joins several. */
  readonly entries: MatchedWeights['entries'];
  /** The published quantized form of the weights, if they have one: `settings` of joined entries are its `PublishedForm`. */
  readonly format?: PublishedFormat | undefined;
  readonly unused: readonly UnusedEntry[];
}

export interface OpenFolderOptions {
  /** Takes the place of the model that the folder's `config.json` describes. */
  readonly model?: Model | undefined;
  /** Choices that no file of the checkpoint states. */
  readonly recipe?: Json | undefined;
  /** Definitions of parts that are not Weft's. */
  readonly parts?: readonly PartDefinition[] | undefined;
  /** Takes what the files say and the model does not apply. */
  readonly notice?: TakeNotice | undefined;
  /** Stops between the steps. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a checkpoint folder, makes its model and finds a tensor for every parameter. All tensors of the files are accounted
 * for; those that the model has no place for are looked at where their values can be known.
 *
 * @throws ConfigError if a file is missing, no recipe knows the model, or a size is beyond what the files hold
 * @throws WeightError if the weights do not fit the model, tensor by tensor
 * @throws UnsupportedError for folders of other formats and quantised weights
 */
export async function openFolder(folder: string, options: OpenFolderOptions = {}): Promise<OpenFolder> {
  const { notice = () => undefined, parts, recipe, signal } = options;
  const files = await readCheckpointFiles(folder, notice);
  const checkpoint = await headersOf(files);
  signal?.throwIfAborted();
  const format = options.model ? undefined : formatOf(files, checkpoint);
  const joins = format !== undefined || Boolean(options.model?.checkpoint.join);
  checkStoredWeights(files, checkpoint, { notice, joins });
  const recipeFiles = { ...files.recipe, options: recipe, parts, importPackage, notice };
  const model = options.model ?? (await boundedModel(files, checkpoint, recipeFiles));
  signal?.throwIfAborted();
  const opened = { files, checkpoint, model, format, ...matchCheckpoint(model, checkpoint, format) };
  const settled = await withOwnHead(opened, options.model ? undefined : recipeFiles, notice);
  await tellUnused(settled, notice);
  return settled;
}

/**
 * Opens a folder for one of its parts: what the part is, and the files' tensors.
 *
 * @throws ConfigError if the folder has no such part
 */
export async function openPart(
  folder: string,
  name: PartName,
  { parts }: Pick<OpenFolderOptions, 'parts'> = {},
): Promise<{
  readonly files: CheckpointFiles;
  readonly part: PartInCheckpoint;
  readonly checkpoint: Checkpoint;
}> {
  const files = await readCheckpointFiles(folder);
  const checkpoint = await headersOf(files);
  checkStoredWeights(files, checkpoint);
  checkConfigBounds({ 'config.json': files.config }, checkpoint);
  const sources = { ...files.recipe, parts, importPackage };
  const found = await partOf(files.config, name, sources);
  if (name !== 'backbone' || !found.part.config['tieWordEmbeddings'])
    return { files, part: found, checkpoint };
  const { files: settled } = await openFolder(folder, { parts });
  return { files: settled, part: await partOf(settled.config, name, sources), checkpoint };
}

/** The headers of a folder's weights. Nothing is kept open. */
async function headersOf({ folder }: CheckpointFiles): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(folder);
  await checkpoint.close();
  return checkpoint;
}

function boundedModel(files: CheckpointFiles, checkpoint: Checkpoint, sources: RecipeFiles): Promise<Model> {
  const { config, preprocessor, videoPreprocessor } = files;
  checkConfigBounds(
    {
      'config.json': config,
      'preprocessor_config.json': preprocessor,
      'video_preprocessor_config.json': videoPreprocessor,
    },
    checkpoint,
  );
  return modelOf(config, sources);
}

/** The tensor of each parameter. A tied table may be stored under the name of the head. */
function matchCheckpoint(model: Model, checkpoint: Checkpoint, format?: PublishedFormat): MatchedWeights {
  const { rename = (name: string) => name, unused } = model.checkpoint;
  const expected = namedParameters(model.module);
  const table = tablePath(model);
  const isStored =
    table === undefined || [...checkpoint.tensors.keys()].some((name) => rename(name) === table);
  const { join: own } = model.checkpoint;
  const join: JoinTensors | undefined = format
    ? (tensors) => [
        ...(own?.(tensors) ?? []),
        ...format
          .joins(tensors, (name) => expected.get(rename(name) ?? '')?.shape)
          .map(({ form, ...joined }) => ({ ...joined, form: format.method, settings: form })),
      ]
    : own;
  const reasonOf = (name: string): UnusedReason | undefined => {
    const reason = format?.unused(name);
    return reason === undefined ? unused?.(name) : { reason };
  };
  return matchWeights({
    ...model.checkpoint,
    ...(join ? { join } : {}),
    unused: reasonOf,
    expected,
    file: checkpoint,
    rename: isStored ? rename : (name) => (unused?.(name)?.isTokenTable ? table : rename(name)),
  });
}

/**
 * The published form of quantized weights that the files hold.
 *
 * @throws UnsupportedError that names a method or a setting that is not read
 */
const formatOf = ({ config }: CheckpointFiles, { tensors }: Checkpoint): PublishedFormat | undefined =>
  quantisedTensors(tensors).length > 0 ? publishedFormat(config) : undefined;

/** Path of the table of token embeddings, where the head is tied to it. */
function tablePath(model: Model): string | undefined {
  const { config, tokenTables } = part(model, 'backbone');
  if (!config['tieWordEmbeddings']) return undefined;
  return [...namedParameters(model.module)].find(([, parameter]) => parameter === tokenTables[0])?.[0];
}

/**
 * The model with the head that its files hold, where `config.json` calls it tied and it differs from the table: as
 * transformers 5.18 does (`tie_weights` of modeling_utils.py).
 *
 * @param sources what to make the model again with; none for a model that was made by hand, whose head stays
 */
async function withOwnHead(
  opened: OpenFolder,
  sources: RecipeFiles | undefined,
  notice: TakeNotice,
): Promise<OpenFolder> {
  const { files, checkpoint, model, entries, unused, format } = opened;
  const head = unused.find(({ isTokenTable }) => isTokenTable);
  const table = tablePath(model);
  const rows = table === undefined ? undefined : entries.get(table);
  if (table === undefined && files.config['tie_word_embeddings'] === true)
    notice({
      where: 'config.json: tie_word_embeddings',
      message: 'It is true, but models of this kind have a head of their own: that of the file is used.',
    });
  if (!head || !rows) return opened;
  if (!isJoined(rows) && !isJoined(head.entry) && (await sameValues(head.entry, rows))) return opened;
  if (!sources) {
    notice({
      where: head.name,
      message:
        'The head in the file differs from the table of token embeddings, but the model that was given ties them: the head is not used.',
    });
    return opened;
  }
  const config = untied(files.config);
  const own = await modelOf(config, sources);
  if (part(own, 'backbone').config['tieWordEmbeddings'])
    throw new ConfigError({
      message: `config.json ties the head to the token embeddings, but '${head.name}' holds other values.`,
      where: files.folder,
      hint: 'Set tie_word_embeddings to false where config.json says true.',
    });
  notice({
    where: 'config.json: tie_word_embeddings',
    message: `It is true, but '${head.name}' differs from the table of token embeddings: the head of the file is used, as transformers 5.18 does.`,
  });
  return {
    files: { ...files, config },
    checkpoint,
    model: own,
    format,
    ...matchCheckpoint(own, checkpoint, format),
  };
}

/** Tells of tensors that the model does not use: one notice for each reason, and one where the values are not as expected. */
async function tellUnused({ unused }: OpenFolder, notice: TakeNotice): Promise<void> {
  const left = new Map<string, UnusedEntry[]>();
  for (const tensor of unused) {
    const { name, entry, reason, values, isTokenTable } = tensor;
    if (isTokenTable) continue;
    if (!values) left.set(reason, [...(left.get(reason) ?? []), tensor]);
    else if (isJoined(entry) || !(await holdsValues(entry, values(entry.shape))))
      notice({
        where: name,
        message: `The tensor is not used (${reason}), though it holds other values than the model computes: those of the model count.`,
      });
  }
  for (const [reason, tensors] of left)
    notice({
      where: tensors[0]!.name,
      message:
        tensors.length === 1
          ? `The tensor is not used: ${reason}.`
          : `The tensor and ${tensors.length - 1} more are not used: ${reason}.`,
    });
}
