import { ConfigError, InputError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { modelOf, textGraph, visionGraph } from '@weft/models';
import { emitModel, inference } from '@weft/onnx';
import type { Model } from '@weft/spec';
import { loadChatTemplate, loadTokenizer, type Tokenizer } from '@weft/text';
import { matchWeights, openCheckpoint, type MatchedWeights } from '@weft/weights';
import { endTokensOf, maxPositionsOf, readCheckpointFiles, type CheckpointFiles } from './checkpoint-files.js';
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
  /** Stops between the steps of loading. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads a Hugging Face checkpoint folder: `config.json`, safetensors of one or several files, the tokenizer, and where
 * they exist the processor's and the generation's configuration. Weights are not copied: ONNX Runtime maps the files,
 * which must not change while the model is open.
 *
 * @throws ConfigError if a file is missing or no recipe knows the model
 * @throws WeightError if the weights do not fit the model, tensor by tensor
 * @throws SessionError if ONNX Runtime refuses a graph
 */
export async function load(folder: string, options: LoadOptions = {}): Promise<LoadedModel> {
  checkLoadOptions(options);
  const { worker = true, threads, signal } = options;
  const started = performance.now();
  const files = await readCheckpointFiles(folder);
  const model = modelOf(files.config, { preprocessor: files.preprocessor });
  signal?.throwIfAborted();
  const [tokenizer, chatTemplate] = await Promise.all([
    loadTokenizer(files.folder, model.vision ? { placeholders: [model.vision.placeholder] } : {}),
    findChatTemplate(files.folder),
  ]);
  checkImageToken(model, tokenizer);
  signal?.throwIfAborted();
  const { entries, unused } = await matchCheckpoint(files, model);
  const setup = setUp(model, files, entries, threads);
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
  const known = ['worker', 'threads', 'signal'];
  for (const key of Object.keys(options))
    if (!known.includes(key))
      throw new InputError({ message: `There is no option '${key}'.`, where: 'load', hint: `Options are ${known.join(', ')}.` });
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1))
    throw new InputError({ message: `threads is ${threads}, expected a whole number of at least 1.`, where: 'load' });
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

function checkImageToken({ vision, name }: Model, tokenizer: Tokenizer): void {
  if (!vision) return;
  const id = tokenizer.tokenToId(vision.placeholder);
  if (id !== vision.imageTokenId)
    throw new ConfigError({
      message: `The tokenizer gives '${vision.placeholder}' the id ${id}, but config.json says that the image token is ${vision.imageTokenId}.`,
      where: name,
      hint: 'tokenizer.json and config.json must come from one checkpoint.',
    });
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
function setUp(model: Model, { config, preprocessor }: CheckpointFiles, entries: MatchedWeights['entries'], threads: number | undefined): EngineSetup {
  const { folder, locate } = locateWeights(entries);
  const { graph, cache } = inference(textGraph(model));
  const emit = (name: string, source: Parameters<typeof emitModel>[0]) => emitModel(source, { name, weights: locate }).bytes;
  return {
    config,
    preprocessor,
    weightFolder: folder,
    text: { bytes: emit('text', graph), cache },
    vision: model.vision && { bytes: emit('vision', visionGraph(model)), hiddenSize: model.backbone.shape.hiddenSize },
    threads,
  };
}
