import { ConfigError, InputError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { modelOf, textGraph, visionGraph, type RecipeFiles } from '@weft/models';
import { emitModel, inference } from '@weft/onnx';
import type { Json, Model } from '@weft/spec';
import { loadChatTemplate, loadTokenizer, type Tokenizer } from '@weft/text';
import { matchWeights, openCheckpoint, type MatchedWeights } from '@weft/weights';
import {
  endTokensOf,
  maxPositionsOf,
  readCheckpointFiles,
  type CheckpointFiles,
} from './checkpoint-files.js';
import type { EngineSetup } from './engine.js';
import { LocalEngine } from './local-engine.js';
import { LoadedModel } from './loaded-model.js';
import { locateWeights } from './weight-location.js';
import { startWorkerEngine } from './worker-engine.js';

export interface LoadOptions {
  /** Whether to compute in a thread of its own, so that the event loop stays free; true unless given. */
  readonly worker?: boolean | undefined;
  /** Threads of ONNX Runtime; the physical cores unless given. */
  readonly threads?: number | undefined;
  /** Choices that no file of the checkpoint states, by the names that its recipe gives them. */
  readonly recipe?: Json | undefined;
  /** Stops between the steps of loading. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads a Hugging Face checkpoint folder: `config.json`, safetensors of one or several files, the tokenizer, and where
 * they exist the processor's and the generation's configuration. Of Mistral's own layout Pixtral is read, whose
 * `params.json` takes the place of `config.json`. Weights are not copied: ONNX Runtime maps the files, which must not
 * change while the model is open.
 *
 * @throws ConfigError if a file is missing or no recipe knows the model
 * @throws WeightError if the weights do not fit the model, tensor by tensor
 * @throws SessionError if ONNX Runtime refuses a graph
 */
export async function load(folder: string, options: LoadOptions = {}): Promise<LoadedModel> {
  checkLoadOptions(options);
  const { worker = true, threads, recipe = {}, signal } = options;
  const started = performance.now();
  const files = await readCheckpointFiles(folder);
  const { preprocessor, videoPreprocessor } = files;
  const recipeFiles: RecipeFiles = { preprocessor, videoPreprocessor, options: recipe };
  const model = modelOf(files.config, recipeFiles);
  signal?.throwIfAborted();
  const [tokenizer, chatTemplate] = await Promise.all([
    loadTokenizer(files.folder, { placeholders: placesOf(model).map(({ placeholder }) => placeholder) }),
    findChatTemplate(files.folder),
  ]);
  checkImageTokens(model, tokenizer);
  signal?.throwIfAborted();
  const { entries, unused } = await matchCheckpoint(files, model);
  const setup = setUp(model, { config: files.config, files: recipeFiles, threads }, entries);
  signal?.throwIfAborted();
  const engine = worker ? await startWorkerEngine(setup) : await LocalEngine.create(setup);
  return new LoadedModel({
    folder: files.folder,
    model,
    preprocessor: files.preprocessor,
    generation: files.generation,
    tokenizer,
    chatTemplate,
    unusedTensors: unused,
    parameters: [...namedParameters(model.module).values()].reduce((sum, { elements }) => sum + elements, 0),
    maxPositions: maxPositionsOf(files.config),
    endTokenIds: endTokensOf(files, tokenizer.eosTokenId),
    engine,
    loadTime: performance.now() - started,
  });
}

function checkLoadOptions(options: LoadOptions): void {
  const known = ['worker', 'threads', 'recipe', 'signal'];
  for (const key of Object.keys(options))
    if (!known.includes(key))
      throw new InputError({
        message: `There is no option '${key}'.`,
        where: 'load',
        hint: `Options are ${known.join(', ')}.`,
      });
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1))
    throw new InputError({
      message: `threads is ${threads}, expected a whole number of at least 1.`,
      where: 'load',
    });
}

/** The chat template of a checkpoint folder. A base model may have none; its prompts are plain text. */
export async function findChatTemplate(folder: string): Promise<string | undefined> {
  try {
    return await loadChatTemplate(folder);
  } catch (error) {
    if (error instanceof ConfigError && error.message.includes('has no chat template')) return undefined;
    throw error;
  }
}

/** Placeholders of pictures and videos, and the ids that stand for them. */
const placesOf = ({
  vision,
}: Model): readonly { readonly placeholder: string; readonly id: number; readonly kind: string }[] =>
  vision
    ? [
        { placeholder: vision.placeholder, id: vision.imageTokenId, kind: 'image' },
        ...(vision.video
          ? [{ placeholder: vision.video.placeholder, id: vision.video.tokenId, kind: 'video' }]
          : []),
      ]
    : [];

function checkImageTokens(model: Model, tokenizer: Tokenizer): void {
  for (const { placeholder, id, kind } of placesOf(model)) {
    const found = tokenizer.tokenToId(placeholder);
    if (found !== id)
      throw new ConfigError({
        message: `The tokenizer gives '${placeholder}' the id ${found}, but config.json says that the ${kind} token is ${id}.`,
        where: model.name,
        hint: 'tokenizer.json and config.json must come from one checkpoint.',
      });
  }
}

/** The tensor of each parameter. All tensors of the files are accounted for. */
async function matchCheckpoint({ folder }: CheckpointFiles, model: Model): Promise<MatchedWeights> {
  const checkpoint = await openCheckpoint(folder);
  try {
    return matchWeights({ expected: namedParameters(model.module), file: checkpoint, ...model.checkpoint });
  } finally {
    await checkpoint.close();
  }
}

/** The graphs of a model over the weights of its files. */
function setUp(
  model: Model,
  given: Pick<EngineSetup, 'config' | 'files' | 'threads'>,
  entries: MatchedWeights['entries'],
): EngineSetup {
  const { folder, locate } = locateWeights(entries);
  const { graph, cache } = inference(textGraph(model));
  const emit = (name: string, source: Parameters<typeof emitModel>[0]) =>
    emitModel(source, { name, weights: locate }).bytes;
  return {
    ...given,
    weightFolder: folder,
    text: { bytes: emit('text', graph), cache },
    vision: model.vision && {
      bytes: emit('vision', visionGraph(model)),
      hiddenSize: model.backbone.shape.hiddenSize,
    },
  };
}
