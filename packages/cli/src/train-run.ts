import { mkdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { findChatTemplate, maxPositionsOf, writeModel, type ConversationTools } from '@weft/runtime';
import { loadTokenizer } from '@weft/text';
import { describeStage, fit, jsonlDataset, trainingProgress, type Dataset, type Metric } from '@weft/train';
import { fromFloat32, writeFileAtomic, type FloatDtype } from '@weft/weights';
import { composeFolder } from './compose-folder.js';
import { openFolder, readWeights, type OpenFolder } from './open-folder.js';
import type { Context } from './run.js';
import { maskText } from './show-mask.js';
import { statusLine, styleOf } from './terminal.js';
import type { DataConfig, StoredType, TrainConfig } from './train-config.js';

/** Trains what a configuration says, and writes the model. A run that was stopped goes on. */
export async function train(config: TrainConfig, { signal }: Context): Promise<void> {
  const { out, stages, seed } = config;
  await claimFolder(config);
  const source = typeof config.model === 'string' ? config.model : await composed(config, config.model);
  const folder = await openFolder(source);
  try {
    const { model } = folder;
    const tools = {
      ...(await conversationTools(folder)),
      maxLength: config.maxLength ?? maxPositionsOf(folder.files.config),
    };
    const known = new Map<string, Promise<Dataset>>();
    const dataOf = ({ file, images }: DataConfig): Promise<Dataset> => {
      const key = JSON.stringify([file, images]);
      const data = known.get(key) ?? jsonlDataset(file, { ...tools, images });
      known.set(key, data);
      return data;
    };
    const runs = [];
    for (const { stage, data } of stages) runs.push({ stage, data: await dataOf(data) });
    const evaluation = config.evaluation && {
      ...config.evaluation,
      data: await dataOf(config.evaluation.data),
    };

    const { bold } = styleOf(process.stdout);
    for (const { stage } of runs)
      process.stdout.write(
        `${bold(`Stage ${stage.name}`)}, ${stage.steps} updates\n${describeStage(model, stage)}\n\n`,
      );
    process.stdout.write(
      `${bold('First sample')}\n${maskText(await runs[0]!.data.example(0), tools, process.stdout)}\n\n`,
    );
    const weights = await readAll(folder);
    const progress = trainingProgress(process.stderr);
    let last: Metric | undefined;
    const trained = await fit({
      model,
      weights,
      stages: runs,
      folder: out,
      seed,
      signal,
      ...(evaluation ? { evaluation } : {}),
      ...(config.saveEvery === undefined ? {} : { saveEvery: config.saveEvery }),
      ...(config.threads === undefined ? {} : { threads: config.threads }),
      onMetric: (metric, stage) => progress((last = metric), stage),
    });
    await writeTrained(folder, trained, config);
    process.stdout.write(
      `${last ? `Loss at the end ${last.loss.toFixed(4)}. ` : 'The run was over already. '}The model, metrics.jsonl and loss.svg are in ${out}\n`,
    );
    process.stdout.write(
      `  weft ${model.vision ? 'ask PICTURE' : 'ask'} "QUESTION" --model ${shownPath(out)}\n`,
    );
  } catch (error) {
    if (signal.aborted)
      process.stderr.write(`\nStopped. The same command goes on from the last state in ${out}.\n`);
    throw error;
  } finally {
    await folder.checkpoint.close();
  }
}

const shownPath = (path: string): string => {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') ? path : short;
};

/**
 * Makes the folder of the run, and says in `train.json` what it is.
 *
 * @throws ConfigError if it is the folder of the model, or of another run
 */
async function claimFolder(config: TrainConfig): Promise<void> {
  const { out, model, identity } = config;
  const hint = 'Choose another folder with "out" or --out.';
  if (model === out)
    throw new ConfigError({
      message: 'The trained model would take the place of the model that it begins with.',
      where: out,
      hint,
    });
  const path = join(out, 'train.json');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) {
    if (await exists(join(out, 'config.json')))
      throw new ConfigError({ message: 'The folder holds a model already.', where: out, hint });
    await mkdir(out, { recursive: true });
    await writeFileAtomic(path, `${JSON.stringify(identity, null, 2)}\n`);
  } else if (!isDeepStrictEqual(JSON.parse(text), identity))
    throw new ConfigError({
      message: 'The folder holds a run with another model, other stages, data or another seed.',
      where: path,
      hint,
    });
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** The folder of a composed model, written when the run begins. */
async function composed(
  { out, seed }: TrainConfig,
  compose: Exclude<TrainConfig['model'], string>,
): Promise<string> {
  const folder = join(out, 'start');
  if (!(await exists(join(folder, 'config.json')))) await composeFolder(folder, compose, seed);
  return folder;
}

async function conversationTools({ model, files }: OpenFolder): Promise<ConversationTools> {
  const placeholders = model.vision ? [model.vision.placeholder] : [];
  return {
    model,
    tokenizer: await loadTokenizer(files.folder, { placeholders }),
    chatTemplate: await findChatTemplate(files.folder),
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
    ...(model.vision ? { preprocessor: files.preprocessor } : {}),
  });
}
