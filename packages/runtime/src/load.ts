import { ConfigError, InputError, NoticeList, type TakeNotice } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { part, type Json, type Model, type PartDefinition } from '@weft/spec';
import { loadChatTemplate, loadTokenizer, type Tokenizer } from '@weft/text';
import { maxPositionsOf, type CheckpointFiles } from './checkpoint-files.js';
import { setUpEngine, type Storage } from './engine-setup.js';
import { endTokensOf, readGeneration } from './generation-config.js';
import { shapeOf } from './generator.js';
import { LoadedModel } from './loaded-model.js';
import { openFolder } from './open-folder.js';
import { PictureStore } from './picture-store.js';
import { PrefixQueue } from './prefix-queue.js';
import { Scheduler } from './scheduler.js';
import { smallStorage } from './small-storage.js';
import { startEngine } from './start-engine.js';
import { checkThreads } from './threads.js';
import type { DtypeOption } from './weight-forms.js';

const mebibyte = 2 ** 20;

export interface LoadOptions {
  /**
   * The model to open over the folder's weights, composed by hand or changed with `mapModel`; its `checkpoint` says what its
   * parameters are called there. That of the folder's `config.json` unless given. Its pictures are prepared in the thread
   * that calls.
   */
  readonly model?: Model | undefined;
  /** Whether to compute in a thread of its own, so that the event loop stays free; true unless given. */
  readonly worker?: boolean | undefined;
  /** Threads of ONNX Runtime, at most as many as the machine has processors; the physical cores unless given. */
  readonly threads?: number | undefined;
  /**
   * The form in which weights are kept: `float32` unless given, which leaves them as the files have them. Rounded weights
   * are written to the cache once (`WEFT_CACHE`) and found there later.
   */
  readonly dtype?: DtypeOption | undefined;
  /** Choices that no file of the checkpoint states, by the names that its recipe gives them. */
  readonly recipe?: Json | undefined;
  /**
   * Definitions of parts that are not Weft's, or take the place of one that is. They cannot be sent to another thread, so
   * pictures are then prepared in the one that calls.
   */
  readonly parts?: readonly PartDefinition[] | undefined;
  /**
   * Bytes of keys and values that are kept of the beginnings of prompts, so that others that begin alike need not read
   * them again; 256 MiB unless given, 0 keeps none.
   */
  readonly prefixCacheBytes?: number | undefined;
  /** Bytes of encoded pictures that are kept for later prompts; 128 MiB unless given, 0 keeps none. */
  readonly pictureCacheBytes?: number | undefined;
  /** Takes the place of the folder's tokenizer, which is not read then. */
  readonly tokenizer?: Tokenizer | undefined;
  /** Stops between the steps of loading. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads a Hugging Face checkpoint folder: `config.json`, safetensors of one or several files, the tokenizer, and where
 * they exist the processor's and the generation's configuration. Of Mistral's own layout Pixtral is read, whose
 * `params.json` takes the place of `config.json`. Weights are not copied: ONNX Runtime maps the files, which must not
 * change while the model is open. In a browser the folder is a URL, whose server answers ranges of bytes, and sessions are
 * given the weights.
 *
 * @throws ConfigError if a file is missing or no recipe knows the model
 * @throws WeightError if the weights do not fit the model, tensor by tensor
 * @throws SessionError if ONNX Runtime refuses a graph
 */
export function load(folder: string, options: LoadOptions = {}): Promise<LoadedModel> {
  return loadStored(folder, options);
}

/** {@link load} with weights stored in another way. */
export async function loadStored(
  folder: string,
  options: LoadOptions,
  storage: Storage = {},
): Promise<LoadedModel> {
  checkLoadOptions(options);
  const { worker = true, threads, recipe = {}, parts = [], signal } = options;
  const { prefixCacheBytes = 256 * mebibyte, pictureCacheBytes = 128 * mebibyte } = options;
  const started = performance.now();
  const notices = new NoticeList();
  const { model: given } = options;
  const opened = await openFolder(folder, { model: given, recipe, parts, notice: notices.take, signal });
  const { files, model, entries, unused } = opened;
  const recipeFiles = { ...files.recipe, options: recipe };
  const { vocabSize } = part(model, 'backbone').shape;
  const generation = readGeneration(files, { vocabSize, notice: notices.take });
  const [tokenizer, chatTemplate] = await Promise.all([
    options.tokenizer ?? tokenizerOf(files, model, notices.take),
    loadChatTemplate(files.folder, { hasProcessor: model.senses.length > 0, notice: notices.take }),
  ]);
  signal?.throwIfAborted();
  // A worker makes its own model from the files; neither one made by hand nor parts can be sent.
  const isKnown = options.model === undefined && parts.length === 0;
  const preparer = isKnown ? { config: files.config, files: recipeFiles } : null;
  const small = await smallStorage(model, entries, options.dtype ?? 'float32', { threads, signal });
  const stored = small.file
    ? { ...storage, plan: (path: string) => small.plan(path) ?? storage.plan?.(path) }
    : storage;
  const wide = small.file?.tensors.filter(({ scheme }) => scheme === 'float') ?? [];
  if (wide.length > 0)
    notices.take({
      where: wide[0]!.name,
      message: `The weight${wide.length === 1 ? ' is' : ` and ${wide.length - 1} more are`} stored in a form (${opened.format!.method}) that no operator reads: they take the memory of float32. A dtype of 'q8' or 'q4' rounds them.`,
    });
  const setup = setUpEngine(model, { preparer, threads, prefixCacheBytes }, entries, stored);
  signal?.throwIfAborted();
  const { engine, eye } = await startEngine(setup, model, worker);
  const scheduler = new Scheduler(engine, eye);
  return new LoadedModel({
    folder: files.folder,
    model,
    preprocessor: files.preprocessor,
    generation,
    tokenizer,
    chatTemplate: model.prompt.chatTemplate ?? chatTemplate,
    unusedTensors: unused.map(({ name, reason }) => ({ name, reason })),
    notices: notices.all,
    parameters: [...namedParameters(model.module).values()].reduce((sum, { elements }) => sum + elements, 0),
    maxPositions: longestTextOf(model, maxPositionsOf(files.config)),
    endTokenIds: endTokensOf(generation, files, { tokenizerEnd: tokenizer.eosTokenId, vocabSize }),
    engine,
    eye,
    scheduler,
    shape: shapeOf(model),
    pictures: new PictureStore(engine, scheduler, pictureCacheBytes),
    prefixes: new PrefixQueue(),
    prefixCacheBytes,
    loadTime: performance.now() - started,
  });
}

/** @param most `max_position_embeddings` */
const longestTextOf = (model: Model, most: number): number =>
  Math.floor(part(model, 'backbone').longestText?.(most) ?? most);

function checkLoadOptions(options: LoadOptions): void {
  const known = [
    'model',
    'worker',
    'threads',
    'dtype',
    'recipe',
    'parts',
    'prefixCacheBytes',
    'pictureCacheBytes',
    'tokenizer',
    'signal',
  ];
  for (const key of Object.keys(options))
    if (!known.includes(key))
      throw new InputError({
        message: `There is no option '${key}'.`,
        where: 'load',
        hint: `Options are ${known.join(', ')}.`,
      });
  if (options.model && (options.recipe || options.parts))
    throw new InputError({
      message: `Both a model and ${options.recipe ? 'options of a recipe' : 'parts'} were given, but the model is made already.`,
      where: 'load',
      hint: `Compose the model with them, and leave \`${options.recipe ? 'recipe' : 'parts'}\` out.`,
    });
  for (const key of ['prefixCacheBytes', 'pictureCacheBytes'] as const) {
    const bytes = options[key];
    if (bytes !== undefined && !(bytes >= 0))
      throw new InputError({
        message: `${key} is ${bytes}, expected a number of at least 0.`,
        where: 'load',
      });
  }
  checkThreads(options.threads, 'load');
}

/** The tokenizer of the folder. @throws ConfigError if its placeholders have other ids than `config.json` says */
async function tokenizerOf(
  { folder }: CheckpointFiles,
  model: Model,
  notice: TakeNotice,
): Promise<Tokenizer> {
  const tokenizer = await loadTokenizer(folder, {
    notice,
    placeholders: model.senses.map(({ placeholder }) => placeholder),
  });
  for (const { placeholder, tokenId, kind } of model.senses) {
    const found = tokenizer.tokenToId(placeholder);
    if (found !== tokenId)
      throw new ConfigError({
        message: `The tokenizer gives '${placeholder}' the id ${found}, but config.json says that the ${kind} token is ${tokenId}.`,
        where: model.name,
        hint: 'tokenizer.json and config.json must come from one checkpoint.',
      });
  }
  return tokenizer;
}
