import { ConfigError, InputError, shown, UnsupportedError, type TakeNotice } from '@weft/errors';
import type { Json } from '@weft/spec';
import {
  files,
  foreignName,
  foreignStart,
  type Checkpoint,
  type ForeignFile,
  type TensorEntry,
} from '@weft/weights';

/** Files of adapters, of PEFT and of MLX. */
const adapterFile = /^adapters?(_config\.json|_model.*\.(safetensors|bin)|\.(safetensors|npz))$/;

const merge =
  'Merge it into its base model in Python: PeftModel.from_pretrained(base, folder).merge_and_unload().save_pretrained(merged).';

/**
 * The absolute path of a folder, or its address.
 *
 * @throws InputError if it is no text, as programs without types may pass one
 */
export function folderPath(given: unknown): string {
  // Scripts of pages have addresses as URLs.
  const text = given instanceof URL && given.protocol !== 'file:' ? given.href : given;
  if (typeof text === 'string') return files.resolve(text);
  throw new InputError({
    message: `The folder is ${shown(given)}, expected its path as a text.`,
    hint: 'Pass the folder of a Hugging Face checkpoint: config.json, *.safetensors, tokenizer.json.',
  });
}

/**
 * Looks at a folder before its configuration is read.
 *
 * @param given the folder as the caller names it
 * @returns its names; `undefined` where they cannot be listed
 * @throws ConfigError if there is no folder, or files of it are pointers of Git LFS
 * @throws UnsupportedError if it has an adapter, beside a model or instead of one
 */
export async function requireModelFolder(given: string): Promise<readonly string[] | undefined> {
  const path = folderPath(given);
  const kind = await files.kindOf(path).catch(() => undefined);
  if (kind !== 'folder') throw await noFolder(given, path, kind !== undefined);
  const names = await files.list(path);
  if (!names) return undefined;
  const pointers = await pointersIn(path, names);
  if (pointers.length > 0)
    throw new ConfigError({
      message: `${pointers.length === 1 ? `${pointers[0]} is` : `${pointers.slice(0, 5).join(', ')}${pointers.length > 5 ? ` and ${pointers.length - 5} more` : ''} are`} only a pointer of Git LFS, which stands in the place of the file.`,
      where: path,
      hint: 'Fetch the files themselves: run `git lfs install` and `git lfs pull` in the folder.',
    });
  if (names.some((name) => adapterFile.test(name))) throw await adapterIn(path, names);
  return names;
}

/** The error for a folder without `config.json`, which says what the folder has. */
export function missingConfig(path: string, names: readonly string[] = []): ConfigError {
  const other = names.find((name) => foreignName(name) !== undefined);
  const foreign = other === undefined ? undefined : foreignName(other);
  const kept = names.find((name) => name.startsWith('.weft-old-'));
  if (kept !== undefined)
    return new ConfigError({
      message: `The folder has no config.json: writing it was not finished, and the files before it are in ${kept}.`,
      where: path,
      hint: 'Write it again, or move those files back.',
    });
  return new ConfigError({
    message: foreign
      ? `The folder has no config.json, but ${other}: ${foreign.what}, which Weft does not read.`
      : names.includes('model_index.json')
        ? 'The folder has no config.json, but model_index.json: a pipeline of diffusers, which Weft does not read.'
        : 'The folder has no config.json.',
    where: path,
    hint: foreign?.hint ?? 'Pass the folder of a Hugging Face checkpoint; its files must be complete.',
  });
}

async function noFolder(given: string, path: string, isFile: boolean): Promise<ConfigError> {
  const foreign = isFile ? await foreignFile(path) : undefined;
  if (foreign)
    return new ConfigError({
      message: `This is ${foreign.what}, which Weft does not read, expected a folder.`,
      where: path,
      hint: foreign.hint,
    });
  if (isFile)
    return new ConfigError({
      message: 'This is a file, expected the folder of a checkpoint.',
      where: path,
      hint: 'Pass the folder that holds it, beside its config.json.',
    });
  const isRepository = /^[\w.-]+\/[\w.-]+$/.test(given) && !given.startsWith('.');
  return new ConfigError({
    message: 'There is no such folder.',
    where: path,
    hint: isRepository
      ? `If this is a repository of the Hugging Face hub, download it: hf download ${given} --local-dir ${given.split('/')[1]!}`
      : 'Pass the folder of a Hugging Face checkpoint: config.json, *.safetensors, tokenizer.json.',
  });
}

const foreignFile = async (path: string): Promise<ForeignFile | undefined> =>
  foreignStart(await startOf(path).catch(() => new Uint8Array())) ?? foreignName(path);

async function startOf(path: string, largest = Infinity): Promise<Uint8Array> {
  const file = await files.open(path);
  try {
    const bytes = new Uint8Array(Math.min(64, file.size));
    return file.size > largest ? bytes : bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

/** Names of files that are pointers of Git LFS: a few lines of text in the place of a file. */
async function pointersIn(folder: string, names: readonly string[]): Promise<string[]> {
  const pointers: string[] = [];
  for (const name of names) {
    const path = files.join(folder, name);
    if (!/\.(safetensors|json|model|jinja|txt)$/.test(name)) continue;
    // Pipes would wait for a writer; what cannot be opened is told when it is read.
    if ((await files.kindOf(path).catch(() => 'other')) !== 'file') continue;
    const start = await startOf(path, 1024).catch(() => new Uint8Array());
    if (foreignStart(start)?.what.includes('Git LFS')) pointers.push(name);
  }
  return pointers;
}

async function adapterIn(path: string, names: readonly string[]): Promise<UnsupportedError> {
  const found = names.filter((name) => adapterFile.test(name)).join(' and ');
  const base = await files
    .readText(files.join(path, 'adapter_config.json'))
    .then((text) => (JSON.parse(text) as Json | null)?.['base_model_name_or_path'])
    .catch(() => undefined);
  const of = typeof base === 'string' ? ` of ${JSON.stringify(base.slice(0, 200))}` : '';
  const isWhole = names.includes('config.json');
  return new UnsupportedError({
    message: isWhole
      ? `The folder has an adapter${of} beside its model (${found}), which Weft does not apply.`
      : `The folder has an adapter${of} (${found}) and no model: adapters are not read yet.`,
    where: path,
    hint: isWhole ? `${merge} To use the model without it, move the adapter's files away.` : merge,
  });
}

/** Names that quantised weights have beside or instead of `weight`: GPTQ, AWQ, compressed-tensors, FP8, bitsandbytes, MXFP4. */
const quantisedName =
  /[._](qweight|qzeros|scales|g_idx|weight_packed|weight_scale(_inv|_2)?|weight_zero_point|weight_shape|input_scale|SCB|absmax|quant_map|nested_absmax|nested_quant_map|quant_state\..*|bitsandbytes__.*|blocks)$/;

/** Files beside `config.json` that tell of quantised weights. */
const quantisedFiles = ['quantize_config.json', 'quant_config.json', 'hf_quant_config.json'];

export interface StoredWeightOptions {
  readonly notice?: TakeNotice | undefined;
  /** Whether the model joins the pieces of quantised weights itself. */
  readonly joins?: boolean | undefined;
}

/**
 * Quantised weights that nobody joins are not read. Files that tell of them beside weights that are stored as floating point numbers are told,
 * and the weights taken as they are stored.
 *
 * @throws UnsupportedError that names the method and a tensor
 */
export function checkStoredWeights(
  { config, names = [] }: { readonly config: Json; readonly names?: readonly string[] | undefined },
  { path, tensors }: Checkpoint,
  { notice = () => undefined, joins = false }: StoredWeightOptions = {},
): void {
  const quantised = quantisedTensors(tensors);
  const stated = quantisationIn(config) ?? fileOf(names.find((name) => quantisedFiles.includes(name)));
  if (joins || (quantised.length === 0 && !stated)) return;
  const [first] = quantised;
  if (first)
    throw new UnsupportedError({
      message: `The weights are quantised${stated ? ` (${stated.what})` : ''}: ${quantised.length} of ${tensors.size} tensors, such as '${first.name}' of ${first.dtype}. Weights in this form are not read.`,
      where: path,
      hint: 'Take the checkpoint of which it was quantised, in bfloat16, float16 or float32: the page of the model names it as its base model. Or call model.dequantize() and save_pretrained in Python.',
    });
  notice({
    where: stated!.where,
    message: `Quantised weights are stated (${stated!.what}), but the weights are stored as floating point numbers: they are used as they are stored.`,
  });
}

/** Tensors that hold quantised weights or belong to them. */
export const quantisedTensors = (tensors: Checkpoint['tensors']): readonly TensorEntry[] =>
  [...tensors.values()].filter(
    ({ name, dtype }) =>
      quantisedName.test(name) ||
      /^(F8|F6|F4)/.test(dtype) ||
      (name.endsWith('.weight') && /^[IU]\d+$/.test(dtype)),
  );

interface Quantisation {
  readonly where: string;
  /** Method and bits. */
  readonly what: string;
}

const fileOf = (name: string | undefined): Quantisation | undefined =>
  name === undefined ? undefined : { where: name, what: name };

/** What a `config.json` says of quantised weights, at the top or in one of its sections. */
function quantisationIn(config: Json, path: readonly string[] = []): Quantisation | undefined {
  for (const key of ['quantization_config', 'compression_config', 'quantization']) {
    const section = config[key];
    if (typeof section !== 'object' || section === null) continue;
    const { quant_method: method, load_in_8bit: is8, load_in_4bit: is4, bits: stated } = section as Json;
    const bits = stated ?? (is4 === true ? 4 : is8 === true ? 8 : undefined);
    return {
      where: `config.json: ${[...path, key].join('.')}`,
      what: [
        `quant_method ${typeof method === 'string' ? method.slice(0, 50) : 'not stated'}`,
        ...(typeof bits === 'number' ? [`${bits} bits`] : []),
      ].join(', '),
    };
  }
  if (path.length > 0) return undefined;
  for (const [key, section] of Object.entries(config))
    if (typeof section === 'object' && section !== null && !Array.isArray(section)) {
      const found = quantisationIn(section as Json, [key]);
      if (found) return found;
    }
  return undefined;
}
