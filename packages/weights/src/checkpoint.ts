import { isWeftError, parseJson, WeightError } from '@weft/errors';
import { files as place } from '#backend';
import { foreignName, foreignStart } from './foreign-file.js';
import { maxHeaderBytes, quoted, shown } from './header.js';
import { hiddenIn } from './json-text.js';
import { outsideFile } from './links.js';
import { openSafetensors, type SafetensorsFile, type TensorEntry } from './safetensors.js';

/**
 * All tensors of a model, from one file or from several shards. Reads like one {@link SafetensorsFile}: every
 * tensor's entry says which file holds it.
 */
export interface Checkpoint extends SafetensorsFile {
  /** Absolute path of the folder or file that was opened, with all symbolic links resolved. */
  readonly path: string;
  /** The `__metadata__` of all shards together; where they disagree, that of the first shard. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Absolute paths of the safetensors files, with all symbolic links resolved. */
  readonly files: readonly string[];
}

/**
 * Opens the weights of a Hugging Face folder, a safetensors file, or the index of a sharded checkpoint.
 *
 * In a folder the first of these is taken: `model.safetensors`, `model.safetensors.index.json`,
 * `consolidated.safetensors`, `consolidated.safetensors.index.json`, or the only `*.safetensors` file that is
 * neither an adapter nor `golden.safetensors`.
 *
 * @throws WeightError if there are no weights or several candidates, if the index names a file outside its
 * folder, a missing file or a tensor that its shard does not hold, if two shards hold one tensor, if a file of the
 * folder is a link that leads out of it (but for the blobs of a Hugging Face cache), and for every defect that {@link openSafetensors} reports
 */
export const openCheckpoint = async (folderOrFile: string): Promise<Checkpoint> => {
  const given = place.resolve(folderOrFile);
  const kind = await place.kindOf(given).catch((cause: unknown) => {
    throw new WeightError({
      message: `The folder or file cannot be opened: ${(cause as Error).message}.`,
      where: given,
      hint: 'Check the path, or download the checkpoint again.',
      cause,
    });
  });
  const name = kind === 'folder' ? await choose(given) : undefined;
  if (name !== undefined) await requireOwn(given, name);
  const chosen = name === undefined ? given : place.join(given, name);
  const path = await place.realpath(given);
  return chosen.endsWith('.json') ? openShards(path, chosen) : combine(path, [await openSafetensors(chosen)]);
};

/** @throws WeightError if a file of a folder is a link that leads out of it */
const requireOwn = async (folder: string, name: string): Promise<void> => {
  // What is missing is told when it is opened.
  const outside = await outsideFile(folder, name).catch(() => undefined);
  if (!outside) return;
  throw new WeightError({
    message: `${quoted(name)} is a link to ${quoted(outside.target)}, outside of its folder.`,
    where: folder,
    hint: outside.hint,
  });
};

const usualNames = [
  'model.safetensors',
  'model.safetensors.index.json',
  'consolidated.safetensors',
  'consolidated.safetensors.index.json',
];

/** The first of the usual names that is there, where a folder cannot be listed. */
const usualNamesThere = async (folder: string): Promise<readonly string[]> => {
  for (const name of usualNames) {
    try {
      await place.kindOf(place.join(folder, name));
      return [name];
    } catch (error) {
      if (!place.isMissing(error)) throw error;
    }
  }
  return [];
};

const choose = async (folder: string): Promise<string> => {
  const names = ((await place.list(folder)) ?? (await usualNamesThere(folder))).toSorted();
  const usual = usualNames.find((name) => names.includes(name));
  if (usual !== undefined) return usual;
  const candidates = names.filter(
    (name) =>
      /^[^.].*\.safetensors$/.test(name) && name !== 'golden.safetensors' && !name.startsWith('adapter'),
  );
  const shard = candidates.find((name) => Number(/-of-(\d+)\.safetensors$/.exec(name)?.[1] ?? 1) > 1);
  if (shard !== undefined) {
    throw new WeightError({
      message: `Found the shard ${quoted(shard)}, but no index, expected model.safetensors.index.json.`,
      where: folder,
      hint: 'The download or the writing of this folder was not finished. Repeat it.',
    });
  }
  if (candidates.length === 1) return candidates[0]!;
  if (candidates.length === 0) throw withoutWeights(folder, names);
  throw new WeightError({
    message: `The folder has ${candidates.length} files that could be the weights (${candidates.slice(0, 10).map(quoted).join(', ')}), expected one.`,
    where: folder,
    hint: 'Pass the path of the file itself.',
  });
};

/** The error for a folder without safetensors, which names what it has in their place. */
const withoutWeights = (folder: string, names: readonly string[]): WeightError => {
  const adapter = names.find((name) => /^adapter.*\.(safetensors|bin)$/.test(name));
  const other = names.find((name) => !name.startsWith('.') && foreignName(name) !== undefined);
  const foreign = adapter === undefined && other !== undefined ? foreignName(other) : undefined;
  return new WeightError({
    message:
      adapter !== undefined
        ? `The folder has an adapter, ${quoted(adapter)}, and no weights of the model that it changes.`
        : foreign
          ? `The folder has no weights in safetensors, but ${quoted(other!)}: ${foreign.what}.`
          : 'The folder has no weights, expected model.safetensors or model.safetensors.index.json.',
    where: folder,
    hint:
      adapter !== undefined
        ? 'Merge it into its base model in Python: PeftModel.from_pretrained(base, folder).merge_and_unload().save_pretrained(merged).'
        : (foreign?.hint ?? 'Check the path, or download the checkpoint again.'),
  });
};

const sizeOf = async (path: string): Promise<number> => {
  const file = await place.open(path);
  await file.close();
  return file.size;
};

const readWeightMap = async (index: string): Promise<Map<string, string>> => {
  const fail = (message: string, cause?: unknown): never => {
    throw new WeightError({ message, where: index, hint: 'Download the index again.', cause });
  };
  let text: string;
  let json: unknown;
  try {
    const size = await sizeOf(index);
    if (size > maxHeaderBytes)
      return fail(`The index has ${size} bytes, expected at most ${maxHeaderBytes}.`);
    const bytes = await place.readAll(index);
    const foreign = foreignStart(bytes);
    if (foreign)
      throw new WeightError({
        message: `The index is ${foreign.what}.`,
        where: index,
        hint: foreign.hint,
      });
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    json = parseJson(text);
  } catch (cause) {
    if (isWeftError(cause)) throw cause;
    return fail('The index cannot be read as JSON text.', cause);
  }
  const { twice } = hiddenIn(text);
  if (twice !== undefined)
    return fail(`The index has the key ${quoted(twice)} twice, expected every name once.`);
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map) || Object.keys(map).length === 0) {
    return fail('The index has no weight_map, expected an object from tensor names to file names.');
  }
  const shards = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    // A plain name only: an index is data from the network and must not reach files outside its folder.
    if (typeof file !== 'string' || !/^[^/\\:\0]+\.safetensors$/.test(file)) {
      return fail(
        `weight_map sends tensor ${quoted(name)} to ${shown(file)}, expected the plain name of a .safetensors file in the same folder.`,
      );
    }
    shards.set(name, file);
  }
  return shards;
};

const openShards = async (path: string, index: string): Promise<Checkpoint> => {
  const weightMap = await readWeightMap(index);
  const folder = place.dirname(index);
  const opened = new Map<string, SafetensorsFile>();
  try {
    for (const name of [...new Set(weightMap.values())].toSorted()) {
      await requireOwn(folder, name);
      opened.set(name, await openSafetensors(place.join(folder, name)));
    }
    for (const [tensor, shard] of weightMap) {
      if (opened.get(shard)!.tensors.has(tensor)) continue;
      throw new WeightError({
        message: `The index places tensor ${quoted(tensor)} in ${quoted(shard)}, but that file does not hold it.`,
        where: index,
        hint: 'The index and the shards come from different versions. Download both again.',
      });
    }
    return combine(path, [...opened.values()], [...opened.keys()]);
  } catch (error) {
    await Promise.all([...opened.values()].map((file) => file.close()));
    throw error;
  }
};

const combine = (path: string, files: readonly SafetensorsFile[], names?: readonly string[]): Checkpoint => {
  const tensors = new Map<string, TensorEntry>();
  const owners = new Map<string, SafetensorsFile>();
  const label = (file: SafetensorsFile): string =>
    quoted(names?.[files.indexOf(file)] ?? place.basename(file.path));
  for (const file of files) {
    for (const [name, entry] of file.tensors) {
      const other = owners.get(name);
      if (other !== undefined) {
        throw new WeightError({
          message: `Tensor ${quoted(name)} is in ${label(other)} and in ${label(file)}, expected it in one shard.`,
          where: path,
          hint: 'The shards come from different versions. Download all of them again.',
        });
      }
      tensors.set(name, entry);
      owners.set(name, file);
    }
  }
  const owner = (name: string): SafetensorsFile => {
    const file = owners.get(name);
    if (file !== undefined) return file;
    throw new WeightError({
      message: `There is no tensor ${quoted(name)} among the ${tensors.size} of this checkpoint.`,
      where: path,
      hint: 'List the names with `tensors.keys()`.',
    });
  };
  return {
    path,
    metadata: Object.fromEntries(files.toReversed().flatMap((file) => Object.entries(file.metadata))),
    files: files.map((file) => file.path),
    tensors,
    read: async (name) => owner(name).read(name),
    readFloat32: async (name) => owner(name).readFloat32(name),
    async close() {
      await Promise.all(files.map((file) => file.close()));
    },
  };
};
