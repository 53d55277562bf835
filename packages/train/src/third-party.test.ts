import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { linear, module, namedParameters, Parameter, reshape, transpose, type Value } from '@weft/graph';
import { compose, findDefinition, initialWeights, modelOf, readBackbone } from '@weft/models';
import { load, partWeights, verify, writeModel } from '@weft/runtime';
import { part, senseOf, type Json, type Model, type PartDefinition } from '@weft/spec';
import { writeSafetensors } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collate } from './batch.js';
import { listParameters } from './describe.js';
import { Optimizer } from './optimizer.js';
import { planStage } from './stage.js';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../models/__fixtures__/${name}`, import.meta.url));
const [llm, vlm] = [fixture('text-qwen2-tied'), fixture('llava-siglip-qwen2')];

interface FlatConfig {
  readonly side: number;
  readonly patch: number;
  readonly width: number;
}
const source = { paper: 'https://example.org/flat', code: 'https://example.org/flat.py' };

/** An encoder that no package of Weft has: one linear layer over the pixels of each patch. */
const flat: PartDefinition<'encoder', FlatConfig> = {
  id: 'encoder-flat',
  kind: 'encoder',
  create: ({ side, patch, width }) => {
    const cells = side / patch;
    return module(
      'Flat',
      { projection: { weight: new Parameter([width, 3 * patch * patch]) } },
      {
        encode: ({ projection }, { pixel_values }: Readonly<Record<string, Value>>) => {
          const tiles = pixel_values!.shape[0]!;
          const cut = reshape(pixel_values!, [tiles, 3, cells, patch, cells, patch]);
          const rows = reshape(transpose(cut, [0, 2, 4, 1, 3, 5]), [tiles, cells * cells, 3 * patch * patch]);
          return { hiddenStates: linear(rows, projection.weight), grid: [cells, cells] as const };
        },
      },
      {
        facts: () => ({
          id: 'encoder-flat',
          source,
          config: { side, patch, width },
          hiddenSize: width,
          grid: [cells, cells] as const,
          pixels: { patchSize: patch, tileSize: side },
          inputs: { pixel_values: { dtype: 'float32' as const, shape: ['tiles', 3, side, side] } },
        }),
      },
    );
  },
  presets: {},
  source,
};
const parts = [flat];

const readJson = async (...path: string[]): Promise<Json> =>
  JSON.parse(await readFile(join(...path), 'utf8')) as Json;

let root: string;
let model: Model;
let folder: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-third-'));
  folder = join(root, 'made');
  const config = await readJson(llm, 'config.json');
  const [connector, fusion, processor] = await Promise.all([
    findDefinition('connector', 'connector-mlp'),
    findDefinition('fusion', 'fusion-unified'),
    findDefinition('processor', 'SiglipImageProcessor'),
  ]);
  model = compose({
    name: 'flat-qwen2',
    encoder: flat.create({ side: 12, patch: 4, width: 10 }),
    connector: connector.create({}),
    backbone: (await readBackbone(config)).backbone,
    fusion: fusion.create({}),
    processor: processor.create(
      processor.read!({ image_processor_type: 'SiglipImageProcessor', size: { height: 12, width: 12 } }),
    ) as never,
    imageTokenId: 313,
  });
  const weights = [...initialWeights(model.module, 4), ...(await partWeights(llm, 'backbone', model))];
  await writeModel(folder, { model, weights, tokenizerFrom: llm, parts });
});
afterAll(() => rm(root, { recursive: true }));

const question = {
  messages: [
    {
      role: 'user',
      content: [
        { type: 'image', image: join(vlm, 'image-0.png') },
        { type: 'text', text: 'What is this?' },
      ],
    },
  ],
  doSample: false,
  maxNewTokens: 4,
} as const;

describe('a part that no package of Weft has', () => {
  it('is written by its id and configuration, and loads where its definition is given', async () => {
    const config = await readJson(folder, 'config.json');
    expect(config).toMatchObject({
      model_type: 'weft',
      encoder: { id: 'encoder-flat', config: { side: 12, patch: 4, width: 10 } },
    });
    const loaded = await load(folder, { parts });
    expect(part(loaded.model, 'encoder').config).toEqual(part(model, 'encoder').config);
    const { imageTokens, generatedTokens } = await loaded.generate(question).result();
    expect([imageTokens, generatedTokens]).toEqual([9, 4]);
    await loaded.close();
  });

  it('is asked for by name where it is not given', async () => {
    await expect(load(folder)).rejects.toThrow(/there is no encoder 'encoder-flat'[^]*{ parts }/);
    await expect(modelOf({ ...(await readJson(folder, 'config.json')) }, { parts })).resolves.toMatchObject({
      name: 'flat-qwen2',
    });
  });

  it('lends its weights to another composition', async () => {
    const lent = await partWeights(folder, 'encoder', model, { parts });
    expect(lent.map(({ name }) => name)).toEqual(['vision_tower.projection.weight']);
    await expect(partWeights(folder, 'encoder', model)).rejects.toThrow(/no encoder 'encoder-flat'/);
  });

  it('is verified against stored outputs', async () => {
    const copy = join(root, 'verified');
    await cp(folder, copy, { recursive: true });
    const loaded = await load(copy, { parts });
    const ids = [3, ...Array.from({ length: 9 }, () => 313), 5, 7];
    const { processor } = senseOf(model, 'image')!;
    const picture = { width: 12, height: 12, channels: 3 as const, data: new Uint8Array(432).fill(90) };
    const { inputs } = processor.process([picture]);
    const tokens = { dtype: 'int64', shape: [1, ids.length], data: BigInt64Array.from(ids, BigInt) } as const;
    const logits = await loaded.forward({ input_ids: tokens, ...inputs });
    await loaded.close();
    const bytes = (data: Float32Array | BigInt64Array): Uint8Array =>
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const pixels = inputs['pixel_values']!;
    await writeSafetensors(join(copy, 'golden.safetensors'), [
      { name: 'input_ids', dtype: 'I64', shape: tokens.shape, data: bytes(tokens.data) },
      {
        name: 'pixel_values',
        dtype: 'F32',
        shape: pixels.shape,
        data: bytes(pixels.data as Float32Array),
      },
      { name: 'logits', dtype: 'F32', shape: logits.shape, data: bytes(logits.data) },
    ]);
    const { checks } = await verify(copy, { parts });
    expect(checks.map(({ name, ok }) => [name, ok])).toContainEqual(['logits', true]);
    expect(checks.every(({ ok }) => ok)).toBe(true);
  });

  it('learns', async () => {
    const values = new Map(
      [...initialWeights(model.module, 4)].map(([path, data]) => [
        path,
        { shape: namedParameters(model.module).get(path)!.shape, data },
      ]),
    );
    const stage = {
      name: 'see',
      trainable: ['encoder'],
      steps: 1,
      batchSize: 1,
      learningRate: 1e-2,
      weightDecay: 0,
    };
    const optimizer = new Optimizer({
      model,
      stage,
      planned: planStage(stage, listParameters(model)),
      weights: values,
      threads: 1,
    });
    const { processor } = senseOf(model, 'image')!;
    const picture = { width: 12, height: 12, channels: 3 as const, data: new Uint8Array(432).fill(90) };
    const { inputs, images } = processor.process([picture]);
    const ids = [3, ...Array.from({ length: 9 }, () => 313), 5];
    const example = { inputIds: ids, labels: ids, images: inputs, placements: images };
    const { gradientNorms } = await optimizer.update([collate([example], model)]);
    expect(gradientNorms['all']).toBeGreaterThan(0);
    await optimizer.release();
  });
});

/** The same encoder as a package of the user's project, in plain JavaScript. */
const packageSource = `
import { linear, module, Parameter, reshape, transpose } from '@weft/graph';
const source = { paper: 'https://example.org/flat', code: 'https://example.org/flat.py' };
export const flatPart = {
  id: 'encoder-packaged',
  kind: 'encoder',
  presets: {},
  source,
  create: ({ side, patch, width }) => {
    const cells = side / patch;
    const area = 3 * patch * patch;
    return module('Flat', { weight: new Parameter([width, area]) }, {
      encode: ({ weight }, { pixel_values }) => {
        const cut = reshape(pixel_values, [pixel_values.shape[0], 3, cells, patch, cells, patch]);
        const rows = reshape(transpose(cut, [0, 2, 4, 1, 3, 5]), [pixel_values.shape[0], cells * cells, area]);
        return { hiddenStates: linear(rows, weight), grid: [cells, cells] };
      },
    }, {
      facts: () => ({
        id: 'encoder-packaged',
        package: 'encoder-packaged',
        source,
        config: { side, patch, width },
        hiddenSize: width,
        grid: [cells, cells],
        pixels: { patchSize: patch, tileSize: side },
        inputs: { pixel_values: { dtype: 'float32', shape: ['tiles', 3, side, side] } },
      }),
    });
  },
};
`;

/** What the user runs in the project: composes the encoder, writes the model, loads it by what its config.json names. */
const script = (made: string, text: string, picture: string): string => `
import { readFile } from 'node:fs/promises';
import { flatPart } from ${JSON.stringify('encoder-packaged')};
import { initialWeights, modelOf } from '@weft/models';
import { load, writeModel } from '@weft/runtime';
const weft = JSON.parse(await readFile(${JSON.stringify(join(made, 'config.json'))}, 'utf8'));
const encoder = { id: 'encoder-packaged', config: { side: 12, patch: 4, width: 10 } };
const model = await modelOf({ ...weft, encoder }, { parts: [flatPart] });
const weights = initialWeights(model.module, 4);
await writeModel('written', { model: { ...model, config: {} }, weights, tokenizerFrom: ${JSON.stringify(text)} });
const loaded = await load('written');
const content = [{ type: 'image', image: ${JSON.stringify(picture)} }, { type: 'text', text: 'What is this?' }];
const question = { messages: [{ role: 'user', content }], doSample: false, maxNewTokens: 4 };
const { imageTokens, generatedTokens } = await loaded.generate(question).result();
await loaded.close();
const config = JSON.parse(await readFile('written/config.json', 'utf8'));
console.log(JSON.stringify({ home: config.encoder.package, imageTokens, generatedTokens }));
`;

describe('a part of a package that the user has installed', () => {
  it('is named by its package in the saved configuration, and found in the project', async () => {
    const project = join(root, 'project');
    const installed = join(project, 'node_modules', 'encoder-packaged');
    await mkdir(join(project, 'node_modules', '@weft'), { recursive: true });
    await mkdir(installed);
    for (const name of ['graph', 'models', 'runtime'])
      await symlink(
        fileURLToPath(new URL(`../../${name}`, import.meta.url)),
        join(project, 'node_modules', '@weft', name),
      );
    const manifest = { name: 'encoder-packaged', version: '1.0.0', type: 'module', exports: './index.js' };
    await writeFile(join(installed, 'package.json'), JSON.stringify(manifest));
    await writeFile(join(installed, 'index.js'), packageSource);
    await writeFile(join(project, 'main.mjs'), script(folder, llm, join(vlm, 'image-0.png')));
    const { stdout } = await promisify(execFile)(process.execPath, ['main.mjs'], { cwd: project });
    expect(JSON.parse(stdout)).toEqual({ home: 'encoder-packaged', imageTokens: 9, generatedTokens: 4 });
  });

  it('is asked to be installed where it is missing, and never looked for by a path or an address', async () => {
    const weft = await readJson(folder, 'config.json');
    const named = async (home: string) =>
      modelOf({ ...weft, encoder: { id: 'encoder-away', package: home } });
    await expect(named('encoder-that-is-not-there')).rejects.toThrow(
      /needs encoder-that-is-not-there, which is not installed\.\n {2}npm install encoder-that-is-not-there/,
    );
    for (const name of ['./mine.js', '../mine', '/mine', 'node:fs', 'https://example.org/a.js', 'a/b', 'A b'])
      await expect(named(name)).rejects.toThrow(`'${name}' is no name of a package`);
    await expect(named('vitest')).rejects.toThrow(/defines no encoder 'encoder-away'/);
  });
});
