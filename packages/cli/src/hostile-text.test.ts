import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSafetensors, writeSafetensors, type TensorToWrite } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runHere as weft } from '../test/run-here.js';
import { fixture, type Outcome } from '../test/weft.js';

/** Clears the screen, sets the title, colours, hides the cursor, goes back to the margin, turns the direction round. */
const hostile = '\x1b[2J\x1b]0;owned\x07\x9b31m\rerror: \u202efake\nnote: fake\x08';
const acting = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

const base = fixture('llava-siglip-qwen2');
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-hostile-'));
});
afterAll(() => rm(root, { recursive: true }));

/** Nothing in either stream acts on a terminal, and no line begins like a message of another one. */
function expectHarmless({ stdout, stderr }: Outcome): void {
  for (const text of [stdout, stderr]) {
    expect(text.replaceAll('\n', '')).not.toMatch(acting);
    expect(text).not.toMatch(/^note: fake|^error: .?fake/m);
  }
}

/** A copy of a checkpoint whose files may be changed. */
async function copy(name: string): Promise<string> {
  const folder = join(root, name);
  await cp(base, folder, { recursive: true });
  return folder;
}

async function editJson(path: string, edit: (json: Record<string, unknown>) => void): Promise<void> {
  const json = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  edit(json);
  await writeFile(path, JSON.stringify(json));
}

async function editTensors(
  path: string,
  edit: (tensors: readonly TensorToWrite[]) => readonly TensorToWrite[],
): Promise<void> {
  const file = await openSafetensors(path);
  const tensors: TensorToWrite[] = [];
  for (const [name, { dtype, shape }] of file.tensors)
    tensors.push({ name, dtype, shape, data: await file.read(name) });
  const { metadata } = file;
  await file.close();
  await writeSafetensors(path, edit(tensors), { metadata });
}

const extra = (name: string): TensorToWrite => ({ name, dtype: 'U8', shape: [1], data: new Uint8Array(1) });

describe('text of files in a terminal', () => {
  it('is harmless in the names of tensors that have no place', async () => {
    const folder = await copy('tensors');
    await editTensors(join(folder, 'model.safetensors'), (tensors) => [...tensors, extra(`a.${hostile}`)]);
    for (const args of [
      ['inspect', folder],
      ['ask', 'What?', '-m', folder],
      ['verify', folder],
    ]) {
      const outcome = await weft(args);
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toMatch(/a\.\\u001b\[2J/);
      expectHarmless(outcome);
    }
  });

  it.each([
    ['the kind of model', (json: Record<string, unknown>) => (json['model_type'] = hostile)],
    [
      'an activation',
      (json: Record<string, unknown>) =>
        Object.assign(json['text_config'] as object, { hidden_act: hostile }),
    ],
    [
      'a size',
      (json: Record<string, unknown>) =>
        Object.assign(json['text_config'] as object, { hidden_size: hostile }),
    ],
    ['the name of a projector', (json: Record<string, unknown>) => (json['projector_hidden_act'] = hostile)],
  ])('is harmless in %s', async (name, edit) => {
    const folder = await copy(name);
    await editJson(join(folder, 'config.json'), edit);
    for (const args of [
      ['inspect', folder],
      ['inspect', folder, '--json'],
      ['ask', 'What?', '-m', folder],
    ])
      expectHarmless(await weft(args));
  });

  it('is harmless in files that are no JSON', async () => {
    for (const name of [
      'config.json',
      'tokenizer.json',
      'generation_config.json',
      'preprocessor_config.json',
    ]) {
      const folder = await copy(`broken-${name}`);
      await writeFile(join(folder, name), `{"a": ${hostile}`);
      const outcome = await weft(['ask', 'What?', '-m', folder]);
      expect(outcome.code).toBe(1);
      expectHarmless(outcome);
    }
  });

  it('is harmless in the names of results that nothing compares', async () => {
    const folder = await copy('golden');
    await editTensors(join(folder, 'golden.safetensors'), (tensors) => [...tensors, extra(hostile)]);
    const outcome = await weft(['verify', folder]);
    expect(outcome.stdout).toMatch(/\\u001b\[2J.*-uncompared/);
    expectHarmless(outcome);
    const json = await weft(['verify', folder, '--json']);
    expectHarmless(json);
    expect(JSON.stringify(JSON.parse(json.stdout))).toContain(JSON.stringify(`${hostile}-uncompared`));
  });

  it('is harmless in names of files and folders', async () => {
    const name = hostile.replace('/', '');
    const folder = await copy(name);
    await cp(join(base, 'image-0.png'), join(root, `${name}.png`));
    for (const args of [
      ['inspect', folder],
      ['verify', folder, '--json'],
      ['ask', `${folder}.png`, 'What?', '-m', folder, '--max-tokens', '2'],
      ['ask', `${folder}-none.png`, 'What?'],
      ['ask', `${folder}.png`],
      ['chat', '-m', `${folder}-none`],
      [hostile],
      ['inspect', hostile],
      ['inspect', 'tiny', hostile],
      ['train', `${folder}.json`],
    ])
      expectHarmless(await weft(args));
  });

  it('is harmless in samples, stages and fields of a training', async () => {
    const folder = join(root, 'train');
    await mkdir(folder);
    const train = async (config: object, row: unknown): Promise<Outcome> => {
      await writeFile(join(folder, 's.jsonl'), typeof row === 'string' ? row : JSON.stringify(row));
      const stage = { name: 'a', trainable: ['connector'], steps: 1, batchSize: 1, learningRate: 1e-3 };
      const whole = {
        model: base,
        data: { file: 's.jsonl' },
        stages: [stage],
        out: 'out',
        threads: 1,
        ...config,
      };
      await writeFile(join(folder, 't.json'), JSON.stringify(whole));
      const outcome = await weft(['train', join(folder, 't.json')]);
      await rm(join(folder, 'out'), { recursive: true, force: true });
      expectHarmless(outcome);
      return outcome;
    };
    const turns = (text: string) => [
      { role: 'user', content: text },
      { role: 'assistant', content: text },
    ];
    const stage = { trainable: ['connector'], steps: 1, batchSize: 1, learningRate: 1e-3 };
    const good = await train({ stages: [{ ...stage, name: hostile }] }, { messages: turns(hostile) });
    expect(good.code).toBe(0);
    expect(good.stdout).toMatch(/Stage \\u001b\[2J/);
    for (const [config, row] of [
      [{}, { messages: turns('a'), images: [`${hostile}.png`] }],
      [{}, { messages: [{ role: hostile, content: 'a' }] }],
      [{}, `{"a": ${hostile}`],
      [{ [hostile]: 1 }, { messages: turns('a') }],
      [{ stages: [{ ...stage, name: 'a', trainable: [hostile] }] }, { messages: turns('a') }],
      [{ dtype: hostile }, { messages: turns('a') }],
    ] as const)
      expect((await train(config, row)).code).toBe(1);
  });
});
