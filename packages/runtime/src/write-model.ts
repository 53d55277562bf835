import { importPackage } from '#backend';
import { ConfigError, WeightError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import {
  configOf,
  findDefinition,
  modelOf,
  modelSignature,
  readProcessor,
  type RecipeFiles,
} from '@weft/models';
import { senseOf, sensePartsOf, type Json, type Model, type PartDefinition } from '@weft/spec';
import {
  files,
  fromFloat32,
  replaceFiles,
  writeCheckpoint,
  writeFileAtomic,
  type TensorToWrite,
} from '@weft/weights';
import { maxPositionsOf } from './checkpoint-files.js';
import { readJsonObject } from './read-json-object.js';
import { configText } from './config-text.js';
import { storedTensors } from './stored-tensors.js';
import { isTokenizerFile, ownJson, tokenizerWith } from './write-tokenizer.js';

/** A weight under its path in the model: float32 values, or stored bytes. */
export type WeightToWrite = TensorToWrite | readonly [path: string, values: Float32Array];

export interface ModelToWrite {
  readonly model: Model;
  /** Every parameter of the model; of several weights with one path the last counts. */
  readonly weights: Iterable<WeightToWrite>;
  /** Folder whose tokenizer and chat template are copied; the image placeholder is added if it is not there. */
  readonly tokenizerFrom?: string | undefined;
  /** `preprocessor_config.json`; that of the model's own processor unless given. */
  readonly preprocessor?: Json | undefined;
  /** `generation_config.json`; that of `tokenizerFrom` unless given. */
  readonly generationConfig?: Json | undefined;
  /** Most tokens that the backbone was made for; that of `tokenizerFrom` unless given. */
  readonly maxPositionEmbeddings?: number | undefined;
  /** Definitions of parts that are not Weft's, of which the model is made. */
  readonly parts?: readonly PartDefinition[] | undefined;
  /** Bytes of a shard; 5e9 unless given. */
  readonly maxShardBytes?: number | undefined;
}

/** Files that say what a model is and how it is asked; those of tokenizers are in `write-tokenizer.ts`. */
const modelFile =
  /^((config|params|generation_config|preprocessor_config|processor_config|video_preprocessor_config)\.json|(model|consolidated)(-\d+-of-\d+)?\.safetensors(\.index\.json)?)$/;

/**
 * Writes a model as a Hugging Face folder that `load` reads: weights, configuration, tokenizer, processor. Compositions
 * that LLaVA's class can express get a `config.json` that transformers loads. A model that is there is replaced as one: what
 * fails leaves it as it was, and a folder that is not finished does not load.
 *
 * @throws WeightError if a weight is missing, unknown or of another size
 * @throws ConfigError if the configuration could not be read back as this model, with its parameters and computation, if the
 * tokenizer has no place for the placeholder, or if a file to copy is a link that leads out of its folder
 */
export async function writeModel(folder: string, given: ModelToWrite): Promise<void> {
  const { model, tokenizerFrom, maxShardBytes, parts } = given;
  const root = files.resolve(folder);
  const tensors = collect(model, given.weights);
  const preprocessor = given.preprocessor ?? (await ownPreprocessor(given));
  const config = await configFor(given);
  const { checkpoint } = await checkReadsBack(model, config, { preprocessor, parts, importPackage });
  const stored = storedTensors(tensors, checkpoint);
  const tokenizer = tokenizerFrom === undefined ? undefined : await tokenizerWith(model, tokenizerFrom);
  const generation =
    given.generationConfig ??
    (tokenizerFrom === undefined ? undefined : await ownJson(tokenizerFrom, 'generation_config.json'));
  const texts = new Map<string, string | Uint8Array>(tokenizer);
  const json = (name: string, value: unknown) => texts.set(name, `${JSON.stringify(value, null, 2)}\n`);
  if (preprocessor) json('preprocessor_config.json', preprocessor);
  if (config['model_type'] === 'llava' && model.senses.length > 0)
    json('processor_config.json', llavaProcessorConfig(config, model));
  if (generation) json('generation_config.json', generation);
  texts.set('config.json', configText({ ...config, dtype: config['dtype'] ?? storedType(tensors) }));

  await replaceFiles(root, {
    write: async (fresh) => {
      await writeCheckpoint(fresh, stored, maxShardBytes === undefined ? {} : { maxShardBytes });
      for (const [name, text] of texts) await writeFileAtomic(files.join(fresh, name), text);
    },
    // Without a tokenizer of its own the model goes on with the one that is there.
    isOld: (name) => modelFile.test(name) || (tokenizer !== undefined && isTokenizerFile(name)),
    gates: ['config.json', 'params.json'],
  });
}

/** One tensor for each parameter, in the order of the model. */
function collect(model: Model, weights: Iterable<WeightToWrite>): TensorToWrite[] {
  const parameters = namedParameters(model.module);
  const found = new Map<string, TensorToWrite>();
  for (const weight of weights) {
    const isPair = !('name' in weight);
    const name = isPair ? weight[0] : weight.name;
    const parameter = parameters.get(name);
    if (!parameter)
      throw new WeightError({
        message: `The model has no parameter '${name}'.`,
        where: model.name,
        hint: 'Names are the paths of `namedParameters(model.module)`.',
      });
    const { shape } = parameter;
    const [size, wanted] = isPair
      ? [weight[1].length, parameter.elements]
      : [weight.shape.join(', '), shape.join(', ')];
    if (size !== wanted)
      throw new WeightError({
        message: `The weight has the size ${size}, but the parameter is [${shape.join(', ')}].`,
        where: name,
      });
    found.set(
      name,
      isPair ? { name, dtype: 'F32', shape, data: async () => fromFloat32(weight[1], 'F32') } : weight,
    );
  }
  const missing = [...parameters.keys()].filter((name) => !found.has(name));
  if (missing.length > 0)
    throw new WeightError({
      message: `${missing.length} of ${parameters.size} parameters have no weight: ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', …' : ''}.`,
      where: model.name,
      hint: 'Take them from a folder with partWeights, or from initialWeights(model.module, seed).',
    });
  return [...parameters.keys()].map((name) => found.get(name)!);
}

/** The file of the model's own processor; none for a text model, or where no file can express it. */
async function ownPreprocessor({ model, parts }: ModelToWrite): Promise<Json | undefined> {
  const sense = senseOf(model, 'image');
  if (!sense) return undefined;
  const { id, config, package: home } = sense.processor;
  return (await findDefinition('processor', id, { parts, importPackage }, home)).write?.(config);
}

async function configFor({
  model,
  preprocessor,
  tokenizerFrom,
  maxPositionEmbeddings,
  parts,
}: ModelToWrite): Promise<Json> {
  if ('model_type' in model.config) return model.config;
  if (preprocessor) await readProcessor(preprocessor, { parts });
  const source =
    tokenizerFrom === undefined ? undefined : await readJsonObject(files.join(tokenizerFrom, 'config.json'));
  const most = maxPositionEmbeddings ?? maxPositionsOf(source ?? {});
  return configOf(model, {
    maxPositionEmbeddings: Number.isFinite(most) ? most : undefined,
    parts,
    importPackage,
  });
}

/**
 * @returns the model that is made from the configuration
 * @throws ConfigError if it would not take these weights, or compute something else
 */
async function checkReadsBack(model: Model, config: Json, files: RecipeFiles): Promise<Model> {
  const again = await modelOf(JSON.parse(JSON.stringify(config)) as Json, files);
  const { rename = (name: string) => name } = again.checkpoint;
  const shapes = (named: Iterable<readonly [string, { readonly shape: readonly number[] }]>): string =>
    [...named]
      .map(([path, { shape }]) => `${path} [${shape.join()}]`)
      .toSorted()
      .join('\n');
  const written = [...namedParameters(model.module)].map(
    ([path, parameter]) => [rename(path), parameter] as const,
  );
  if (shapes(written) !== shapes(namedParameters(again.module)))
    throw new ConfigError({
      message: `A config.json of model_type '${String(config['model_type'])}' does not describe this model: the parts read back have other parameters.`,
      where: model.name,
      hint: 'Compose it of parts as their factories make them, without changed layers or paths inside of parts.',
    });
  if (modelSignature(model, rename) !== modelSignature(again))
    throw new ConfigError({
      message: `A config.json of model_type '${String(config['model_type'])}' would describe the model without its change: the parts read back have the same parameters, but compute something else.`,
      where: model.name,
      hint: 'Keep the change in code: write the model as it was before the change, and open the weights with load(folder, { model }).',
    });
  return again;
}

function llavaProcessorConfig(config: Json, model: Model): Json {
  const tower = config['vision_config'] as Json;
  const sense = senseOf(model, 'image')!;
  const { grid, pixels } = sensePartsOf(model, sense).encoder;
  const strategy = config['vision_feature_select_strategy'];
  const side = Math.floor(pixels.tileSize! / Number(tower['patch_size']));
  const tokens = grid ? grid[0] * grid[1] : side * side;
  return {
    processor_class: 'LlavaProcessor',
    image_token: sense.placeholder,
    patch_size: tower['patch_size'],
    vision_feature_select_strategy: strategy,
    // Tokens of the tower beside its patches: `default` takes the first of them off again.
    num_additional_image_tokens: tokens - side * side + (strategy === 'default' ? 1 : 0),
  };
}

/** The type of all tensors as `config.json` names it; float32 if they differ. */
function storedType(tensors: readonly TensorToWrite[]): string {
  const names: Readonly<Record<string, string>> = { F16: 'float16', BF16: 'bfloat16' };
  const types = new Set(tensors.map(({ dtype }) => dtype));
  return types.size === 1 ? (names[[...types][0]!] ?? 'float32') : 'float32';
}
