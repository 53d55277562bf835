import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Metric } from '@weft/train';
import { openCheckpoint } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, weft, type Outcome } from '../../test/weft.js';

const base = fixture('llava-siglip-qwen2');
const stages = [
  { name: 'align', trainable: ['connector'], steps: 2, batchSize: 2, learningRate: 1e-2 },
  {
    name: 'tune',
    trainable: ['connector', 'backbone'],
    steps: 24,
    batchSize: 2,
    learningRate: 2e-2,
    warmupSteps: 2,
  },
];
const turn = (question: string, answer: string) => [
  { role: 'user', content: question },
  { role: 'assistant', content: answer },
];

let folder: string;
let run: Outcome;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-train-'));
  await cp(join(base, 'image-0.png'), join(folder, 'a.png'));
  const samples = [
    { messages: [...turn('<image>\nWhat is it?', 'A star.'), ...turn('Sure?', 'yes')], images: ['a.png'] },
    { messages: turn('Say no.', 'no') },
  ];
  await writeFile(join(folder, 'samples.jsonl'), samples.map((sample) => JSON.stringify(sample)).join('\n'));
  // Looking at held-out samples changes nothing in what is learnt.
  run = await train('run', { evaluation: { file: 'samples.jsonl', every: 10 } });
});
afterAll(() => rm(folder, { recursive: true }));

async function train(name: string, changes: object = {}, options: Parameters<typeof weft>[1] = {}) {
  const file = join(folder, `${name}.json`);
  await writeFile(
    file,
    JSON.stringify({
      model: base,
      data: { file: 'samples.jsonl' },
      stages,
      out: name,
      seed: 3,
      threads: 1,
      ...changes,
    }),
  );
  return weft(['train', file], options);
}

const weightsOf = (name: string) => readFile(join(folder, name, 'model.safetensors'));

describe('weft train', () => {
  it('trains through its stages and writes a model that answers as it was taught', async () => {
    const { code, stdout } = run;
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^Stage align, 2 updates[^]*^connector +1,995 +1,995 +trainable[^]*^backbone +28,770 +0 +frozen[^]*^Stage tune/m,
    );
    // The label mask of the first sample.
    expect(stdout).toMatch(
      /<image> x 9\\nWhat is it\?.*assistant\\n"\n {2}learnt {2}"A star\.<\|im_end\|>"\n.*\n {2}learnt {2}"yes<\|im_end\|>"/,
    );
    const metrics = (await readFile(join(folder, 'run', 'metrics.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Metric);
    expect(metrics.map(({ stage }) => stage)).toEqual([
      ...Array<string>(2).fill('align'),
      ...Array<string>(24).fill('tune'),
    ]);
    expect(metrics.at(-1)!.loss).toBeLessThan(0.1 * metrics[0]!.loss);
    expect(metrics.at(-1)!.evaluation).toBeLessThan(0.1 * metrics[0]!.loss);
    expect(await readFile(join(folder, 'run', 'loss.svg'), 'utf8')).toMatch(/^<svg/);
    const answer = await weft([
      'ask',
      join(folder, 'a.png'),
      'What is it?',
      '--model',
      join(folder, 'run'),
      '--json',
    ]);
    expect(JSON.parse(answer.stdout)).toMatchObject({ answer: 'A star.', finishReason: 'stop' });
  });

  it('goes on where it was stopped, with the same weights to the last bit', async () => {
    const stopped = await train('parts', {}, { interruptAfter: 'First sample' });
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(/The same command goes on from the last state/);
    const state = JSON.parse(await readFile(join(folder, 'parts', 'run.json'), 'utf8')) as { stage: number };
    expect(state.stage).toBeLessThan(2);
    expect((await train('parts')).code).toBe(0);
    expect(await weightsOf('parts')).toEqual(await weightsOf('run'));
    expect(await train('parts')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/The run was over already/),
    });
  });

  it('composes a model from parts of two folders, and stores it in the type asked for', async () => {
    const compose = { name: 'mix', encoder: { from: base }, backbone: { from: fixture('text-qwen2-tied') } };
    const { code } = await train('mix', {
      model: { compose },
      stages: stages.slice(0, 1),
      dtype: 'bfloat16',
    });
    expect(code).toBe(0);
    const checkpoint = await openCheckpoint(join(folder, 'mix'));
    await checkpoint.close();
    expect(new Set([...checkpoint.tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(['BF16']));
    const inspected = JSON.parse((await weft(['inspect', join(folder, 'mix'), '--json'])).stdout) as object;
    expect(inspected).toMatchObject({
      recipe: 'llava',
      parts: { encoder: { id: 'encoder-siglip' }, backbone: { id: 'backbone-qwen2' } },
      unusedTensors: [],
    });
  });

  it('gives a language model sight by cross-attention, and leaves it as it was', async () => {
    const text = fixture('text-qwen2-tied');
    const compose = {
      encoder: { from: base },
      backbone: { from: text },
      fusion: { id: 'fusion-cross-attention', config: { every: 1 } },
    };
    const adapt = [{ ...stages[0]!, trainable: ['connector', 'fusion'] }];
    const { code, stdout } = await train('aside', { model: { compose }, stages: adapt });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^backbone +[\d,]+ +0 +frozen[^]*^fusion +([\d,]+) +\1 +trainable/m);
    const [before, after] = await Promise.all([text, join(folder, 'aside')].map(openCheckpoint));
    for (const name of before!.tensors.keys())
      expect([name, await after!.read(`language_model.${name}`)]).toEqual([name, await before!.read(name)]);
    const gate = 'language_model.model.cross_attn_layers.0.cross_attn_attn_gate';
    expect(new Float32Array((await after!.read(gate)).slice().buffer)[0]).not.toBe(0);
    await Promise.all([before!.close(), after!.close()]);
    const asked = await weft([
      'ask',
      join(folder, 'a.png'),
      'What is it?',
      '-m',
      join(folder, 'aside'),
      '--max-tokens',
      '3',
      '--json',
    ]);
    expect(JSON.parse(asked.stdout)).toMatchObject({ imageTokens: 1 });
  });

  it('refuses folders of other runs and models, samples and parts that do not exist', async () => {
    const failure = async (name: string, changes: object) => {
      const { code, stderr } = await train(name, changes);
      expect(code).toBe(1);
      return stderr;
    };
    expect(await failure('run', { seed: 4 })).toMatch(
      /holds a run with another model, other stages, data or another seed/,
    );
    expect(await failure('self', { out: base })).toMatch(/take the place of the model that it begins with/);
    expect(await failure('none', { data: { file: 'missing.jsonl' } })).toMatch(/missing\.jsonl/);
    // A configuration that never began can be mended.
    await expect(stat(join(folder, 'none'))).rejects.toThrow(/ENOENT/);
    expect(await failure('part', { stages: [{ ...stages[0], trainable: ['projector'] }] })).toMatch(
      /'projector' matches no parameter[^]*encoder, connector, backbone/,
    );
  });
});
