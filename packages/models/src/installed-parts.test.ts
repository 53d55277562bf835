import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** What a project has that names four parts: SigLIP, an MLP, Qwen2 and their fusion. */
const installed = [
  ...['errors', 'graph', 'image', 'models', 'nn', 'processors', 'spec'],
  ...['backbone-qwen2', 'connector-mlp', 'encoder-siglip', 'fusion-unified'],
];
const vision = { hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1, num_attention_heads: 2 };
const text = {
  model_type: 'qwen2',
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: 40,
};
const llava = {
  model_type: 'llava',
  vision_config: { model_type: 'siglip_vision_model', ...vision, image_size: 8, patch_size: 4 },
  text_config: text,
  image_token_index: 39,
  vision_feature_select_strategy: 'full',
};

let project: string;
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'weft-installed-'));
  const home = (name: string): string => join(project, 'node_modules', '@weft', name);
  for (const name of installed) {
    const source = fileURLToPath(new URL(`../../${name}`, import.meta.url));
    await mkdir(home(name), { recursive: true });
    await cp(join(source, 'package.json'), join(home(name), 'package.json'));
    await cp(join(source, 'dist'), join(home(name), 'dist'), { recursive: true });
  }
});
afterAll(() => rm(project, { recursive: true }));

/** The name of the model that the project makes of a configuration, or the message of the error. */
async function made(config: object): Promise<string> {
  const code = `
    import { modelOf } from ${JSON.stringify('@weft/models')};
    const result = await modelOf(${JSON.stringify(config)}).then(({ name }) => name, ({ message }) => message);
    console.log(result);
  `;
  await writeFile(join(project, 'main.mjs'), code);
  return (await promisify(execFile)(process.execPath, ['main.mjs'], { cwd: project })).stdout.trimEnd();
}

describe('a project with a few parts installed', () => {
  it('makes the models that they suffice for', async () => {
    expect(await made(llava)).toBe('llava');
    expect(await made(text)).toBe('qwen2');
  });

  it('is told which part of a model is missing, and how to install it', async () => {
    expect(await made({ ...llava, text_config: { ...text, model_type: 'phi' } })).toBe(
      "The backbone 'phi' needs @weft/backbone-phi, which is not installed.\n  npm install @weft/backbone-phi",
    );
    expect(await made({ ...llava, vision_config: { model_type: 'clip_vision_model' } })).toMatch(
      /^The encoder 'clip_vision_model' needs @weft\/encoder-clip, which is not installed/,
    );
    expect(
      await made({ model_type: 'weft', backbone: { id: 'backbone-olmo' }, fusion: { id: 'fusion-unified' } }),
    ).toMatch(/^The backbone 'backbone-olmo' needs @weft\/backbone-olmo/);
  });

  it('is told which parts of a recipe are missing', async () => {
    expect(await made({ model_type: 'aria' })).toBe(
      "The recipe 'aria' needs @weft/connector-resampler, which is not installed.\n  npm install @weft/connector-resampler",
    );
    expect(await made({ model_type: 'qwen2_vl' })).toBe(
      [
        "The recipe 'qwen2-vl' needs @weft/connector-patch-merger and @weft/encoder-qwen2-vl and @weft/positions-mrope, which are not installed.",
        '  npm install @weft/connector-patch-merger @weft/encoder-qwen2-vl @weft/positions-mrope',
      ].join('\n'),
    );
  });
});
