import { ConfigError, InputError } from '@weft/errors';
import { makeGraph, namedParameters, substitute, type Graph } from '@weft/graph';
import { modelOf, textGraph, visionGraph, type RecipeFiles } from '@weft/models';
import { emitModel, inference, type InferenceGraph } from '@weft/onnx';
import { part, senseOf, type Json, type Model } from '@weft/spec';
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
  /** Takes the place of the folder's tokenizer, which is not read then. */
  readonly tokenizer?: Tokenizer | undefined;
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
    options.tokenizer ?? tokenizerOf(files, model),
    loadChatTemplate(files.folder),
  ]);
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
    chatTemplate: model.prompt.chatTemplate ?? chatTemplate,
    unusedTensors: unused,
    parameters: [...namedParameters(model.module).values()].reduce((sum, { elements }) => sum + elements, 0),
    maxPositions: maxPositionsOf(files.config),
    endTokenIds: endTokensOf(files, tokenizer.eosTokenId),
    engine,
    loadTime: performance.now() - started,
  });
}

function checkLoadOptions(options: LoadOptions): void {
  const known = ['worker', 'threads', 'recipe', 'tokenizer', 'signal'];
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

/** The tokenizer of the folder. @throws ConfigError if its placeholders have other ids than `config.json` says */
async function tokenizerOf({ folder }: CheckpointFiles, model: Model): Promise<Tokenizer> {
  const tokenizer = await loadTokenizer(folder, {
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
  const emit = (name: string, graph: Graph): Uint8Array => emitModel(graph, { name, weights: locate }).bytes;
  const sight = senseOf(model, 'image');
  const text = inference(textGraph(model, { tiles: false }));
  const whole = sight?.cross && inference(textGraph(model));
  return {
    ...given,
    weightFolder: folder,
    text: { bytes: emit('text', text.graph), cache: text.cache },
    vision: sight
      ? {
          bytes: emit('vision', whole ? withHeld(visionGraph(model), whole) : visionGraph(model)),
          hiddenSize: part(model, 'backbone').shape.hiddenSize,
          isPlaced: model.fusion.method !== 'B',
        }
      : null,
    cross:
      sight?.cross && whole
        ? {
            bytes: emit('cross', whole.graph),
            slots: whole.held?.slots ?? [],
            keysPerTile: sight.cross.tokensPerTile + sight.cross.tagTokens,
          }
        : null,
  };
}

/** Pixels to image embeddings, and on to the keys and values that cross-attention layers hold. */
function withHeld(vision: Graph, { held }: InferenceGraph): Graph {
  const embeds = vision.outputs['image_embeds']!;
  return makeGraph({
    ...vision.outputs,
    ...(held ? substitute(held.graph, { tile_embeds: embeds }).outputs : {}),
  });
}
