import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ConfigError, fileError, parseJson, reasonOf } from '@weft/errors';
import type { Json } from '@weft/spec';
import type { RateRule, Stage } from '@weft/train';
import { processors } from './options.js';
import { readCompose, type ComposeConfig } from './compose-config.js';
import {
  ConfigReader,
  isBoolean,
  isCount,
  isNatural,
  isRate,
  isShare,
  isText,
  isTexts,
} from './config-reader.js';

/** Samples of a run; paths are absolute. */
export interface DataConfig {
  readonly file: string;
  readonly images?: string | undefined;
  /** Whether images may lie outside of their folder. */
  readonly allowOutside?: true;
}

/** The types that weights are stored in. */
export type StoredType = 'float32' | 'float16' | 'bfloat16';

/** What `weft train` was told; paths are absolute. */
export interface TrainConfig {
  /** A checkpoint folder, or how to compose a model. */
  readonly model: string | ComposeConfig;
  readonly stages: readonly { readonly stage: Stage; readonly data: DataConfig }[];
  readonly out: string;
  readonly seed: number;
  readonly evaluation?:
    | { readonly data: DataConfig; readonly samples: number; readonly every: number }
    | undefined;
  readonly saveEvery?: number | undefined;
  readonly threads?: number | undefined;
  /** Most tokens of a sample. */
  readonly maxLength?: number | undefined;
  readonly dtype: StoredType;
  /** What makes a run the same run, as the file says it. */
  readonly identity: Json;
}

/**
 * Reads a training configuration. Paths in it are relative to its folder.
 *
 * @param out replaces the configuration's own, relative to the working directory
 * @param allowOutside allows images of all data outside of their folders
 * @throws ConfigError naming the field that is missing, wrong or unknown
 */
export async function readTrainConfig(
  file: string,
  out: string | undefined,
  allowOutside = false,
): Promise<TrainConfig> {
  const path = resolve(file);
  const json = await readJson(path);
  const root = new ConfigReader(json, '', path);
  const toPath = (given: string): string => resolve(dirname(path), given);
  const dataOf = (reader: ConfigReader): DataConfig => {
    const images = reader.optional('images', isText, 'a folder');
    return {
      file: toPath(reader.value('file', isText, 'a JSON Lines file')),
      ...(images === undefined ? {} : { images: toPath(images) }),
      ...(reader.optional('allowOutside', isBoolean, 'true or false') || allowOutside
        ? { allowOutside: true }
        : {}),
    };
  };
  const closed = <T>(reader: ConfigReader, read: (reader: ConfigReader) => T): T => {
    const value = read(reader);
    reader.done();
    return value;
  };

  const shared = root.has('data') ? closed(root.object('data'), dataOf) : undefined;
  const config: TrainConfig = {
    model: readModel(root, toPath),
    stages: root.list('stages').map((reader) => {
      const own = reader.has('data') ? closed(reader.object('data'), dataOf) : shared;
      if (!own)
        throw new ConfigError({
          message: `${reader.at('data')} is missing, and so is data.`,
          where: path,
          hint: 'Write "data": { "file": "samples.jsonl", "images": "folder" } for all stages or for each.',
        });
      return { stage: closed(reader, readStage), data: own };
    }),
    out:
      out === undefined ? toPath(root.value('out', isText, 'a folder for the trained model')) : resolve(out),
    seed: root.optional('seed', isNatural, 'a whole number of at least 0') ?? 0,
    evaluation: root.has('evaluation')
      ? closed(root.object('evaluation'), (reader) => ({
          data: dataOf(reader),
          samples: reader.optional('samples', isCount, 'a number of samples') ?? 256,
          every: reader.optional('every', isCount, 'a number of updates') ?? 100,
        }))
      : undefined,
    saveEvery: root.optional('saveEvery', isCount, 'a number of updates'),
    threads: root.optional(
      'threads',
      isThreads,
      `a whole number from 1 to ${processors()}, the processors of this machine`,
    ),
    maxLength: root.optional('maxLength', isCount, 'a number of tokens'),
    dtype: root.optional('dtype', isStoredType, 'float32, float16 or bfloat16') ?? 'float32',
    identity: identityOf(json as Json),
  };
  root.raw('out');
  root.done();
  const names = config.stages.map(({ stage }) => stage.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    root.fail('stages', `has two stages named '${twice}'.`, 'Give each stage a name of its own.');
  return config;
}

function readModel(root: ConfigReader, toPath: (given: string) => string): string | ComposeConfig {
  const model = root.raw('model');
  if (typeof model !== 'object' || model === null)
    return toPath(root.value('model', isText, 'a checkpoint folder, or { "compose": … }'));
  const reader = root.object('model');
  const compose = readCompose(reader.object('compose'), toPath);
  reader.done();
  return compose;
}

/** The fields that make a run the same run. Where images may lie does not change what is learnt. */
function identityOf(json: Json): Json {
  const known = ['model', 'data', 'stages', 'seed', 'maxLength'];
  const fields = Object.entries(json).filter(([key]) => known.includes(key));
  const text = JSON.stringify(Object.fromEntries(fields), (key, value: unknown) =>
    key === 'allowOutside' ? undefined : value,
  );
  return JSON.parse(text) as Json;
}

const isThreads = (value: unknown): value is number => isCount(value) && value <= processors();

const isStoredType = (value: unknown): value is StoredType =>
  value === 'float32' || value === 'float16' || value === 'bfloat16';

async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new ConfigError({
      message: `The configuration cannot be read: ${reasonOf(fileError(cause, path))}.`,
      where: path,
      hint: 'Pass a JSON file; weft train --help shows one.',
      cause,
    });
  }
  try {
    return parseJson(text);
  } catch (cause) {
    throw new ConfigError({
      message: `The configuration is not valid JSON: ${reasonOf(cause)}.`,
      where: path,
      hint: 'JSON has no comments and no comma after the last entry.',
      cause,
    });
  }
}

function readStage(reader: ConfigReader): Stage {
  const optional = <K extends keyof Stage>(
    key: K,
    check: (value: unknown) => value is NonNullable<Stage[K]>,
    wanted: string,
  ): Partial<Stage> => {
    const value = reader.optional(key, check, wanted);
    return value === undefined ? {} : { [key]: value };
  };
  const isSchedule = (value: unknown): value is 'cosine' | 'constant' =>
    value === 'cosine' || value === 'constant';
  const isClip = (value: unknown): value is 'global' | 'group' => value === 'global' || value === 'group';
  const isMoment = (value: unknown): value is number => isShare(value) && value < 1;
  const isPositive = (value: unknown): value is number => isRate(value) && value > 0;
  const isNorm = (value: unknown): value is number => value === null || isPositive(value);
  return {
    name: reader.value('name', isText, 'a name'),
    trainable: reader.value(
      'trainable',
      isTexts,
      'a list of parts (encoder, connector, backbone) or globs over paths',
    ),
    ...optional('frozen', isTexts, 'a list of parts or globs over paths'),
    ...optional('muon', isTexts, 'a list of parts or globs over paths'),
    steps: reader.value('steps', isCount, 'a number of updates'),
    batchSize: reader.value('batchSize', isCount, 'a number of samples'),
    ...optional('accumulate', isCount, 'a number of batches'),
    ...optional('lengthWindow', isCount, 'a number of updates'),
    learningRate: reader.value('learningRate', isRate, 'a number of at least 0'),
    ...(reader.has('rates') ? { rates: reader.list('rates').map(readRate) } : {}),
    ...optional('schedule', isSchedule, 'cosine or constant'),
    ...optional('warmupSteps', isNatural, 'a number of updates'),
    ...optional('floorRatio', isShare, 'a number from 0 to 1'),
    ...optional('weightDecay', isRate, 'a number of at least 0'),
    ...optional('beta1', isMoment, 'a number from 0, below 1'),
    ...optional('beta2', isMoment, 'a number from 0, below 1'),
    ...optional('momentum', isMoment, 'a number from 0, below 1'),
    ...optional('eps', isPositive, 'a number above 0'),
    ...optional('maxGradientNorm', isNorm, 'a number above 0, or null for no clipping'),
    ...optional('clip', isClip, 'global or group'),
  };
}

function readRate(reader: ConfigReader): RateRule {
  const weightDecay = reader.optional('weightDecay', isRate, 'a number of at least 0');
  const rule = {
    match: reader.value('match', isText, 'a part or a glob over paths'),
    learningRate: reader.value('learningRate', isRate, 'a number of at least 0'),
    ...(weightDecay === undefined ? {} : { weightDecay }),
  };
  reader.done();
  return rule;
}
