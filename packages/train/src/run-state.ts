import { makeFolder, removeFile } from '#backend';
import { ConfigError, parseJson, reasonOf, shown, WeightError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { modelSignature } from '@weft/models';
import type { Model } from '@weft/spec';
import { files, openSafetensors, removeTemporaries, writeFileAtomic, writeSafetensors } from '@weft/weights';
import { differenceText, firstDifference } from './difference.js';
import type { Stage } from './stage.js';

/** Where a run stands. */
export interface RunState {
  /** Stage in progress; equal to the number of stages when the run is over. */
  readonly stage: number;
  /** Updates done in it. */
  readonly step: number;
  /** All weights that any stage has changed, by path. */
  readonly weights: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;
  /** Moments of the stage in progress. */
  readonly moments: ReadonlyMap<string, Float32Array>;
}

const stateFile = 'run.json';

/** What two runs must have in common to go on from each other's state. */
export interface RunKey {
  /** Digest of stages and seed. */
  readonly key: string;
  /** Digest of the model: paths and shapes of its parameters, and what its graphs compute. */
  readonly model: string;
  /** What the key is the digest of, so that a message can name what changed. */
  readonly run: { readonly stages: readonly Stage[]; readonly seed: number };
}

export async function runKey(model: Model, stages: readonly Stage[], seed: number): Promise<RunKey> {
  const parameters = [...namedParameters(model.module)].map(([path, { shape }]) => [path, shape]);
  const text = JSON.stringify({ stages, seed });
  return {
    key: await digest(text),
    model: await digest(`${JSON.stringify(parameters)}\n${modelSignature(model)}`),
    run: JSON.parse(text) as RunKey['run'],
  };
}

async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Writes a state next to the last one, then moves the pointer, then removes the last one: a crash at any moment
 * leaves a whole state.
 */
export async function saveRunState(folder: string, key: RunKey, state: RunState): Promise<void> {
  await makeFolder(folder);
  const before = await readPointer(folder);
  const file = `state-${state.stage}-${state.step}.safetensors`;
  const bytes = (data: Float32Array) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const tensors = [
    ...[...state.weights].map(([path, { shape, data }]) => ({
      name: `weight:${path}`,
      dtype: 'F32' as const,
      shape,
      data: bytes(data),
    })),
    ...[...state.moments].map(([name, data]) => ({
      name: `moment:${name}`,
      dtype: 'F32' as const,
      shape: [data.length],
      data: bytes(data),
    })),
  ];
  await writeSafetensors(files.join(folder, file), tensors);
  const pointer: Pointer = { ...key, file, stage: state.stage, step: state.step };
  await writeFileAtomic(files.join(folder, stateFile), `${JSON.stringify(pointer, null, 2)}\n`);
  if (before && before.file !== file) await removeFile(files.join(folder, before.file));
}

/** Runs of earlier versions do not say of which model they are, or what their key is the digest of. */
interface Pointer extends Pick<RunKey, 'key'>, Partial<Omit<RunKey, 'key'>> {
  readonly file: string;
  readonly stage: number;
  readonly step: number;
}

/** Names of states, which lie in the folder of the run itself. */
const isStateName = (name: string): boolean => /^state-\d{1,9}-\d{1,9}\.safetensors$/.test(name);

async function readPointer(folder: string): Promise<Pointer | null> {
  const where = files.join(folder, stateFile);
  let value: unknown;
  try {
    value = parseJson(await files.readText(where));
  } catch (cause) {
    if (files.isMissing(cause)) return null;
    throw new ConfigError({
      message: `${stateFile} cannot be read: ${reasonOf(cause)}.`,
      where: folder,
      hint: 'Use an empty folder, or remove the file to begin the run again.',
      cause,
    });
  }
  const { file, key, stage, step, model } = (value ?? {}) as Partial<Record<keyof Pointer, unknown>>;
  const fail = (message: string): never => {
    throw new ConfigError({
      message,
      where,
      hint: 'The folder was not written by a run, or was changed. Use an empty one, or remove the file to begin again.',
    });
  };
  // The file may come from anybody, and what it names is read and later removed.
  if (typeof file !== 'string' || !isStateName(file))
    return fail(
      `file is ${shown(file)}, expected the name of a state in this folder, such as "state-0-200.safetensors".`,
    );
  if (typeof key !== 'string') return fail(`key is ${shown(key)}, expected a digest.`);
  if (model !== undefined && typeof model !== 'string')
    return fail(`model is ${shown(model)}, expected a digest.`);
  for (const [name, number] of Object.entries({ stage, step }))
    if (!Number.isSafeInteger(number) || (number as number) < 0)
      return fail(`${name} is ${shown(number)}, expected a whole number of at least 0.`);
  return value as Pointer;
}

/**
 * The state of an earlier run in this folder, or `null`. What killed writers left beside it is removed.
 *
 * @throws ConfigError if that run had other stages, another seed or another model, or its files were tampered with
 */
export async function loadRunState(folder: string, given: RunKey): Promise<RunState | null> {
  await makeFolder(folder);
  const pointer = await readPointer(folder);
  if (pointer) checkSameRun(pointer, given, folder);
  await removeTemporaries(folder);
  for (const name of (await files.list(folder)) ?? [])
    if (isStateName(name) && name !== pointer?.file) await removeFile(files.join(folder, name));
  return pointer && readState(folder, pointer);
}

function checkSameRun(pointer: Pointer, { key, model, run }: RunKey, folder: string): void {
  if (pointer.model !== undefined && pointer.model !== model)
    throw new ConfigError({
      message:
        'The folder holds the state of a run of another model: one with other parameters, or that computes something else.',
      where: folder,
      hint: 'Use an empty folder, or the model that began the run, with the same changes by mapModel.',
    });
  if (pointer.key === key) return;
  const difference = pointer.run === undefined ? undefined : firstDifference(pointer.run, run);
  throw new ConfigError({
    message: `The folder holds the state of a run with other stages or another seed${difference ? `: ${differenceText(difference)}` : ''}.`,
    where: folder,
    hint: 'Use an empty folder, or the configuration that began the run.',
  });
}

async function readState(folder: string, { file: name, stage, step }: Pointer): Promise<RunState> {
  const path = files.join(folder, name);
  // A link with the name of a state leads elsewhere.
  const [home, found] = [await files.realpath(folder), await files.realpath(path).catch(() => path)];
  if (found !== path && found !== files.join(home, name))
    throw new ConfigError({
      message: `The state ${name} is a link that leads out of the folder, to ${found}.`,
      where: folder,
      hint: 'Use an empty folder, or put the state itself there.',
    });
  const file = await openSafetensors(path);
  try {
    const weights = new Map<string, { shape: readonly number[]; data: Float32Array }>();
    const moments = new Map<string, Float32Array>();
    for (const [tensor, { shape }] of file.tensors) {
      const data = await file.readFloat32(tensor);
      if (tensor.startsWith('weight:')) weights.set(tensor.slice('weight:'.length), { shape, data });
      else if (tensor.startsWith('moment:')) moments.set(tensor.slice('moment:'.length), data);
      else
        throw new WeightError({
          message: `The tensor '${tensor}' does not belong in a run state.`,
          where: name,
        });
    }
    return { stage, step, weights, moments };
  } finally {
    await file.close();
  }
}
