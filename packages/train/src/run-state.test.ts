import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, WeightError } from '@weft/errors';
import { initialWeights } from '@weft/models';
import { openSafetensors, writeSafetensors } from '@weft/weights';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFixture } from '../test/fixture.js';
import type { Dataset } from './dataset.js';
import { fit, type FitOptions } from './fit.js';
import type { Stage } from './stage.js';

const { model } = await openFixture('text-qwen2-tied');
const weights = initialWeights(model.module, 5);
const data: Dataset = {
  size: 4,
  example: (i) => ({ inputIds: [3 + i, 5, 7, 9], labels: [3 + i, 5, 7, 9], images: null }),
};
const stage: Stage = {
  name: 'tune',
  trainable: ['**.norm.weight'],
  steps: 3,
  batchSize: 1,
  learningRate: 1e-3,
};

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-state-'));
  folder = join(root, 'run');
});
afterEach(() => rm(root, { recursive: true }));

const train = (changes: Partial<Stage> = {}, more: Partial<FitOptions> = {}) =>
  fit({
    model,
    weights,
    stages: [{ stage: { ...stage, ...changes }, data }],
    folder,
    seed: 1,
    threads: 1,
    ...more,
  });

/** A process that is over. */
const dead = (): number => spawnSync(process.execPath, ['-e', '']).pid!;

async function edit(changes: Readonly<Record<string, unknown>>): Promise<void> {
  const file = join(folder, 'run.json');
  await writeFile(
    file,
    JSON.stringify({ ...(JSON.parse(await readFile(file, 'utf8')) as object), ...changes }),
  );
}

describe('the state of a run', () => {
  it.each([
    '../state-0-1.safetensors',
    '/etc/hostname',
    'sub/state-0-1.safetensors',
    '..',
    '',
    'state-1-0.safetensors\0',
    'model.safetensors',
    'state-1-0.safetensors/../../keep',
    7,
    null,
    ['state-1-0.safetensors'],
  ])('is not looked for as %j, and nothing is removed', async (file) => {
    await train();
    await rename(join(folder, 'state-1-0.safetensors'), join(root, 'state-0-1.safetensors'));
    await edit({ file });
    const before = [await readdir(root), await readdir(folder)];
    const error = await train().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toMatch(/file is .*, expected the name of a state[^]*run\.json/);
    expect([await readdir(root), await readdir(folder)]).toEqual(before);
  });

  it('is not read through a link', async () => {
    await train();
    await rename(join(folder, 'state-1-0.safetensors'), join(root, 'far.safetensors'));
    await symlink('../far.safetensors', join(folder, 'state-1-0.safetensors'));
    await expect(train()).rejects.toThrow(/a link that leads out of the folder/);
    expect(await readdir(root)).toContain('far.safetensors');
  });

  it.each([
    [{ stage: -1 }, /stage is -1/],
    [{ step: 1.5 }, /step is 1\.5/],
    [{ step: 'x' }, /step is "x"/],
    [{ key: 3 }, /key is 3/],
    [{ model: {} }, /model is \{\}/],
  ])('is refused with %j in run.json', async (changes, message) => {
    await train();
    await edit(changes);
    await expect(train()).rejects.toThrow(message);
  });

  it.each(['[]', '"x"', '{', '', 'null', '['.repeat(9999)])(
    'is refused where run.json is %j',
    async (text) => {
      await mkdir(folder);
      await writeFile(join(folder, 'run.json'), text);
      await expect(train()).rejects.toThrow(ConfigError);
    },
  );

  it('must have the weights and moments of the model', async () => {
    const stop = new AbortController();
    await expect(train({}, { signal: stop.signal, onMetric: () => stop.abort() })).rejects.toThrow(/Stopped/);
    const path = join(folder, 'state-0-1.safetensors');
    const saved = await openSafetensors(path);
    await saved.close();
    const names = [...saved.tensors.keys()];
    expect(names.some((name) => name.startsWith('moment:'))).toBe(true);
    const one = { dtype: 'F32', shape: [1], data: new Uint8Array(4) } as const;
    for (const name of [...names, 'weight:elsewhere', 'other']) {
      await writeSafetensors(path, [{ ...one, name }]);
      await expect(train(), name).rejects.toThrow(WeightError);
    }
  });
});

describe('the folder of another run', () => {
  it.each<[Partial<Stage>, Partial<FitOptions>, string]>([
    [{ learningRate: 2e-3 }, {}, 'stages[0].learningRate was 0.001 and is 0.002'],
    [{ trainable: ['**.norm.weight', 'x'] }, {}, 'stages[0].trainable[1] was missing and is "x"'],
    [{ muon: ['**'] }, {}, 'stages[0].muon was missing and is ["**"]'],
    [{}, { seed: 9 }, 'seed was 1 and is 9'],
    [{}, { stages: [] }, 'stages[0] was {"name":"tune"'],
  ])('names what changed: %j %j', async (changes, more, difference) => {
    await train();
    const error = await train(changes, more).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toContain(difference);
  });
});

describe('what a killed run left', () => {
  it('is removed when the run starts again, and nothing else is', async () => {
    await train();
    const gone = [
      `.run.json.${dead()}.0123456789ab.tmp`,
      `.state-0-2.safetensors.${dead()}.ffffffffffff.tmp`,
      `.loss.svg.${process.pid}.0123456789ab.tmp`,
      'state-0-2.safetensors',
    ];
    const kept = [
      `.model.safetensors.${process.ppid}.0123456789ab.tmp`,
      '.notes.tmp',
      'notes.1.0123456789ab.tmp',
      'state-mine.safetensors',
    ];
    for (const name of [...gone, ...kept]) await writeFile(join(folder, name), 'x');
    await train();
    const names = await readdir(folder);
    for (const name of gone) expect(names).not.toContain(name);
    for (const name of [...kept, 'run.json', 'state-1-0.safetensors', 'metrics.jsonl', 'loss.svg'])
      expect(names).toContain(name);
  });

  it('is removed after an hour though another process has the number of the writer', async () => {
    await train();
    const name = `.run.json.${process.ppid}.0123456789ab.tmp`;
    await writeFile(join(folder, name), 'x');
    await utimes(join(folder, name), new Date(0), new Date(0));
    await train();
    expect(await readdir(folder)).not.toContain(name);
  });
});

describe('fit', () => {
  it.each([1e6, 0, 1.5, Number.NaN, 100_000])('refuses %d threads before it begins', async (threads) => {
    await expect(train({}, { threads })).rejects.toThrow(/threads is/);
    await expect(readdir(folder)).rejects.toThrow(/ENOENT/);
  });

  it('says which folder the file system refuses, and why', async () => {
    await writeFile(join(root, 'file'), 'x');
    for (const [place, message] of [
      [join(root, 'file'), /EEXIST|ENOTDIR/],
      [join(root, 'file', 'run'), /ENOTDIR/],
      [join(root, 'n'.repeat(300)), /ENAMETOOLONG/],
      ['a\0b', /NUL character/],
    ] as const) {
      const error = await train({}, { folder: place }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'WEFT_FILE' });
      expect((error as Error).message).toMatch(message);
    }
  });
});
