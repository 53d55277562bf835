import { makeFolder, removeFile } from '#backend';
import { ConfigError, WeightError } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { modelSignature } from '@weft/models';
import type { Model } from '@weft/spec';
import { files, openSafetensors, writeFileAtomic, writeSafetensors } from '@weft/weights';
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
}

export async function runKey(model: Model, stages: readonly Stage[], seed: number): Promise<RunKey> {
  const parameters = [...namedParameters(model.module)].map(([path, { shape }]) => [path, shape]);
  return {
    key: await digest(JSON.stringify({ stages, seed })),
    model: await digest(`${JSON.stringify(parameters)}\n${modelSignature(model)}`),
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

/** Runs of earlier versions do not say of which model they are. */
interface Pointer extends Omit<RunKey, 'model'>, Partial<Pick<RunKey, 'model'>> {
  readonly file: string;
  readonly stage: number;
  readonly step: number;
}

async function readPointer(folder: string): Promise<Pointer | null> {
  try {
    return JSON.parse(await files.readText(files.join(folder, stateFile))) as Pointer;
  } catch (error) {
    if (files.isMissing(error)) return null;
    throw new ConfigError({
      message: `${stateFile} cannot be read: ${(error as Error).message}`,
      where: folder,
      cause: error,
    });
  }
}

/**
 * The state of an earlier run in this folder, or `null`.
 *
 * @throws ConfigError if that run had other stages, another seed or another model
 */
export async function loadRunState(folder: string, { key, model }: RunKey): Promise<RunState | null> {
  const pointer = await readPointer(folder);
  if (!pointer) return null;
  if (pointer.model !== undefined && pointer.model !== model)
    throw new ConfigError({
      message:
        'The folder holds the state of a run of another model: one with other parameters, or that computes something else.',
      where: folder,
      hint: 'Use an empty folder, or the model that began the run, with the same changes by mapModel.',
    });
  if (pointer.key !== key)
    throw new ConfigError({
      message: 'The folder holds the state of a run with other stages or another seed.',
      where: folder,
      hint: 'Use an empty folder, or the configuration that began the run.',
    });
  const file = await openSafetensors(files.join(folder, pointer.file));
  try {
    const weights = new Map<string, { shape: readonly number[]; data: Float32Array }>();
    const moments = new Map<string, Float32Array>();
    for (const [name, { shape }] of file.tensors) {
      const data = await file.readFloat32(name);
      if (name.startsWith('weight:')) weights.set(name.slice('weight:'.length), { shape, data });
      else if (name.startsWith('moment:')) moments.set(name.slice('moment:'.length), data);
      else
        throw new WeightError({
          message: `The tensor '${name}' does not belong in a run state.`,
          where: pointer.file,
        });
    }
    return { stage: pointer.stage, step: pointer.step, weights, moments };
  } finally {
    await file.close();
  }
}
