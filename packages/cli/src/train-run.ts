import { readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ConfigError, fileError, NoticeList, parseJson, printableLine, reasonOf } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { maxPositionsOf, writeModel, type ConversationTools } from '@weft/runtime';
import { loadChatTemplate, loadTokenizer } from '@weft/text';
import {
  describeStage,
  differenceText,
  firstDifference,
  fit,
  jsonlDataset,
  trainingProgress,
  type Dataset,
  type Metric,
  type StageRun,
} from '@weft/train';
import { fromFloat32, makeFolder, writeFileAtomic, type FloatDtype } from '@weft/weights';
import { composeFolder } from './compose-folder.js';
import { openFolder, readWeights, type OpenFolder } from './open-folder.js';
import type { Context } from './context.js';
import { reportNotices } from './failure.js';
import { maskText } from './show-mask.js';
import { statusLine, styleOf } from './terminal.js';
import type { DataConfig, StoredType, TrainConfig } from './train-config.js';

/** Trains what a configuration says, and writes the model. A run that was stopped goes on. */
export async function train(config: TrainConfig, { signal }: Context): Promise<void> {
  const { out, seed, saveEvery, threads } = config;
  const hasBegun = await checkFolder(config);
  const source =
    typeof config.model === 'string' ? config.model : await composed(config, config.model, hasBegun);
  const notices = new NoticeList();
  const folder = await openFolder(source, { notice: notices.take });
  reportNotices(notices.all, process.stderr);
  const { model } = folder;
  const { tools, runs, evaluation } = await openData(config, folder);
  await showPlan(runs, tools);

  await makeFolder(out);
  await writeFileAtomic(join(out, identityFile), `${JSON.stringify(config.identity, null, 2)}\n`);
  const weights = await readAll(folder);
  const progress = trainingProgress(process.stderr);
  let last: Metric | undefined;
  try {
    const trained = await fit({
      model,
      weights,
      stages: runs,
      folder: out,
      seed,
      signal,
      ...(evaluation ? { evaluation } : {}),
      ...(saveEvery === undefined ? {} : { saveEvery }),
      ...(threads === undefined ? {} : { threads }),
      onMetric: (metric, stage) => progress((last = metric), stage),
    });
    await writeTrained(folder, trained, config);
  } catch (error) {
    if (signal.aborted)
      process.stderr.write(
        `\nStopped. The same command goes on from the last state in ${printableLine(out)}.\n`,
      );
    throw error;
  }
  const heldOut = last?.evaluation === undefined ? '' : `, ${last.evaluation.toFixed(4)} on held-out samples`;
  const end = last ? `Loss at the end ${last.loss.toFixed(4)}${heldOut}.` : 'The run was over already.';
  process.stdout.write(`${end} The model, metrics.jsonl and loss.svg are in ${printableLine(out)}\n`);
  process.stdout.write(
    `  weft ${model.senses.length > 0 ? 'ask PICTURE' : 'ask'} "QUESTION" --model ${printableLine(shownPath(out))}\n`,
  );
}

/** Samples of all stages. Files that several stages share are opened once. */
async function openData(config: TrainConfig, folder: OpenFolder) {
  const { maxLength = maxPositionsOf(folder.files.config) } = config;
  const tools = { ...(await conversationTools(folder)), maxLength };
  const known = new Map<string, Promise<Dataset>>();
  const dataOf = ({ file, images, allowOutside }: DataConfig): Promise<Dataset> => {
    const key = JSON.stringify([file, images, allowOutside]);
    const data = known.get(key) ?? jsonlDataset(file, { ...tools, images, allowOutside });
    known.set(key, data);
    return data;
  };
  const runs: StageRun[] = [];
  for (const { stage, data } of config.stages) runs.push({ stage, data: await dataOf(data) });
  const evaluation = config.evaluation && {
    ...config.evaluation,
    data: await dataOf(config.evaluation.data),
  };
  return { tools, runs, evaluation };
}

/** What learns in each stage, and which tokens of the first sample. */
async function showPlan(runs: readonly StageRun[], tools: ConversationTools): Promise<void> {
  const { bold } = styleOf(process.stdout);
  for (const { stage } of runs)
    process.stdout.write(
      `${bold(`Stage ${printableLine(stage.name)}`)}, ${stage.steps} updates\n${describeStage(tools.model, stage)}\n\n`,
    );
  const first = maskText(await runs[0]!.data.example(0), tools, process.stdout);
  process.stdout.write(`${bold('First sample')}\n${first}\n\n`);
}

const shownPath = (path: string): string => {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') ? path : short;
};

/** Says in the folder of a run what it is. */
const identityFile = 'train.json';

/**
 * Whether the folder holds a run of this configuration that has begun.
 *
 * @throws ConfigError if it is the folder of the model, or holds another model or run
 */
async function checkFolder({ out, model, identity }: TrainConfig): Promise<boolean> {
  const hint = 'Choose another folder with "out" or --out.';
  if (model === out)
    throw new ConfigError({
      message: 'The trained model would take the place of the model that it begins with.',
      where: out,
      hint,
    });
  const hasBegun = await exists(join(out, 'run.json'));
  if (!hasBegun && (await exists(join(out, 'config.json'))))
    throw new ConfigError({ message: 'The folder holds a model already.', where: out, hint });
  if (!hasBegun) return false;
  const where = join(out, identityFile);
  const difference = firstDifference(await readIdentity(where, hint), identity);
  if (difference)
    throw new ConfigError({
      message: `The folder holds a run with another model, other stages, data or another seed: ${differenceText(difference)}.`,
      where,
      hint,
    });
  return true;
}

/** What the run of a folder was begun with. @throws ConfigError if the file cannot be read */
async function readIdentity(path: string, hint: string): Promise<unknown> {
  try {
    return parseJson(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new ConfigError({
      message: `What run the folder holds cannot be read: ${reasonOf(fileError(cause, path))}.`,
      where: path,
      hint,
      cause,
    });
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** The folder of a composed model, written before the run begins. */
async function composed(
  { out, seed }: TrainConfig,
  compose: Exclude<TrainConfig['model'], string>,
  hasBegun: boolean,
): Promise<string> {
  const folder = join(out, 'start');
  if (!hasBegun) await composeFolder(folder, compose, seed);
  return folder;
}

async function conversationTools({ model, files }: OpenFolder): Promise<ConversationTools> {
  const placeholders = model.senses.map(({ placeholder }) => placeholder);
  return {
    model,
    tokenizer: await loadTokenizer(files.folder, { placeholders }),
    chatTemplate:
      model.prompt.chatTemplate ??
      (await loadChatTemplate(files.folder, { hasProcessor: model.senses.length > 0 })),
  };
}

async function readAll(folder: OpenFolder): Promise<Map<string, Float32Array>> {
  const status = statusLine(process.stderr);
  try {
    return await readWeights(folder, (share) => status.show('reading weights', share));
  } finally {
    status.clear();
  }
}

const dtypes: Readonly<Record<StoredType, FloatDtype>> = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' };

async function writeTrained(
  { model, files }: OpenFolder,
  trained: ReadonlyMap<string, Float32Array>,
  { out, dtype }: TrainConfig,
): Promise<void> {
  const { torch_dtype: _, ...config } = model.config;
  const parameters = namedParameters(model.module);
  await writeModel(out, {
    model: { ...model, config: { ...config, dtype } },
    weights: [...trained].map(([name, values]) => ({
      name,
      dtype: dtypes[dtype],
      shape: parameters.get(name)!.shape,
      data: async () => fromFloat32(values, dtypes[dtype]),
    })),
    tokenizerFrom: files.folder,
    generationConfig: files.generation,
    ...(model.senses.length > 0 ? { preprocessor: files.preprocessor } : {}),
  });
}
