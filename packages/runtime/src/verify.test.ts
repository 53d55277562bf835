import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, InputError, UnsupportedError, WeightError } from '@weft/errors';
import { openSafetensors, writeSafetensors, type TensorToWrite } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bound, fixture, fixtureNames, storedDifferences } from '../test/fixtures.js';
import { load, openFolder, readCheckpointFiles, verify } from './index.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-verify-'));
});
afterAll(() => rm(root, { recursive: true }));

/** A copy of a fixture whose golden file is changed tensor by tensor. */
async function changed(
  name: string,
  change: (tensor: TensorToWrite & { data: Uint8Array }) => TensorToWrite | undefined,
  metadata: Readonly<Record<string, string>> = {},
): Promise<string> {
  const folder = await mkdtemp(join(root, `${name}-`));
  await cp(fixture(name), folder, { recursive: true });
  const file = await openSafetensors(join(folder, 'golden.safetensors'));
  const tensors: TensorToWrite[] = [];
  for (const [key, { dtype, shape }] of file.tensors) {
    const tensor = change({ name: key, dtype, shape, data: await file.read(key) });
    if (tensor) tensors.push(tensor);
  }
  const known = file.metadata;
  await file.close();
  await writeSafetensors(join(folder, 'golden.safetensors'), tensors, {
    metadata: { ...known, ...metadata },
  });
  return folder;
}

const failing = async (folder: string): Promise<string[]> =>
  (await verify(folder)).checks.filter(({ ok }) => !ok).map(({ name }) => name);

describe('verify', () => {
  it.each(fixtureNames)('passes all checks of %s', async (name) => {
    const { checks } = await verify(fixture(name));
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    const names = checks.map((check) => check.name);
    expect(names).toEqual(expect.arrayContaining(['logits', 'logits-cached', 'generated']));
    if (!name.startsWith('text')) expect(names).toContain('image_features');
    if (!name.includes('batch')) expect(names).toContain('input_ids');
    const pixels = name.startsWith('fuyu') ? 'image_patches' : 'pixel_values';
    if (!name.includes('batch') && !name.startsWith('text')) expect(names).toContain(pixels);

    const figures = storedDifferences(name);
    const missing = `${name} has no stored figures, or not those of all checks: write them by \`node tools/write-tables.mjs\``;
    expect(Object.keys(figures ?? {}).toSorted(), missing).toEqual(names.toSorted());
    for (const { name: what, maxDiff } of checks)
      expect(maxDiff, `${what} of ${name}, stored as ${figures![what]}`).toBeLessThanOrEqual(
        bound(figures![what]!),
      );
  });

  it('finds one wrong value in each kind of reference', async () => {
    const spoil = (wanted: string) =>
      changed('llava-clip', (tensor) => {
        const { name, dtype, data } = tensor;
        if (name !== wanted) return tensor;
        const values = dtype === 'I64' ? new BigInt64Array(data.buffer) : new Float32Array(data.buffer);
        if (values instanceof BigInt64Array) values[values.length - 1]! += 1n;
        else values[values.length - 1]! += 0.02;
        return { ...tensor, data: new Uint8Array(values.buffer) };
      });
    expect(await failing(await spoil('logits'))).toEqual(['logits', 'logits-cached']);
    expect(await failing(await spoil('image_features'))).toEqual(['image_features']);
    expect(await failing(await spoil('generated'))).toEqual(['generated']);
    expect(await failing(await spoil('expected_input_ids'))).toEqual(['input_ids']);
    // One of the 864 values is more than the thousandth part that may differ.
    expect(await failing(await spoil('expected_pixel_values'))).toEqual([
      'pixel_values',
      'pixel_values-unequal',
    ]);
  });

  it('does not let values pass that are no numbers', async () => {
    const folder = await changed('text-llama3', (tensor) => {
      if (tensor.name !== 'logits') return tensor;
      new Float32Array(tensor.data.buffer)[3] = NaN;
      return tensor;
    });
    expect(await failing(folder)).toEqual(['logits', 'logits-cached']);
  });

  it.each(['llava-clip', 'llava-next-two', 'molmo-portrait', 'mllama-apart', 'nvlm-x', 'qwen2.5-vl-video'])(
    'fails on a tensor of %s that is compared with nothing, and names it',
    async (name) => {
      const renames: Record<string, string> = {
        attention_mask: 'attention_masks',
        generated: 'generated_tokens',
        expected_input_ids: 'expected_input_ids_v5',
      };
      const folder = await changed(name, (tensor) => ({
        ...tensor,
        name: renames[tensor.name] ?? tensor.name,
      }));
      expect((await failing(folder)).toSorted()).toEqual(
        [
          'attention_masks-uncompared',
          'expected_input_ids_v5-uncompared',
          'generated_tokens-uncompared',
          ...(name === 'mllama-apart' ? ['expected_cross_attention_mask-uncompared'] : []),
        ].toSorted(),
      );
    },
  );

  it('does not take a result of the processor for compared because the model has one of that name', async () => {
    const renames: Record<string, string> = {
      expected_input_ids: 'expected_generated',
      expected_pixel_values: 'expected_logits',
    };
    const folder = await changed('llava-clip', (tensor) => ({
      ...tensor,
      name: renames[tensor.name] ?? tensor.name,
    }));
    expect((await failing(folder)).toSorted()).toEqual([
      'expected_generated-uncompared',
      'expected_logits-uncompared',
    ]);
  });

  it('says that it cannot compare a golden file of another kind', async () => {
    const folder = await changed('text-llama3', (tensor) => tensor, { kind: 'codec' });
    await expect(verify(folder)).rejects.toThrow(UnsupportedError);
    await expect(verify(folder)).rejects.toThrow(/The kind of the golden file is 'codec'/);
  });

  it('refuses tiles of another size than the model takes', async () => {
    const folder = await changed('llava-clip', (tensor) =>
      tensor.name === 'expected_pixel_values' ? { ...tensor, shape: [2, 3, 9, 16] } : tensor,
    );
    await expect(verify(folder)).rejects.toThrow(InputError);
    await expect(verify(folder)).rejects.toThrow(
      /pixel_values is \[2, 3, 9, 16\], but the encoder takes \[tiles, 3, 12, 12\]/,
    );
  });

  it('needs no tokenizer where no ids are expected', async () => {
    const folder = await changed('llava-clip', (tensor) =>
      tensor.name === 'expected_input_ids' ? undefined : tensor,
    );
    for (const file of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja', 'prompt.txt'])
      await rm(join(folder, file), { force: true });
    const names = (await verify(folder)).checks.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['logits', 'generated', 'pixel_values']));
    expect(names).not.toContain('input_ids');
    expect(await failing(folder)).toEqual([]);
    const withIds = await changed('llava-clip', (tensor) => tensor);
    await rm(join(withIds, 'tokenizer.json'));
    await expect(verify(withIds)).rejects.toThrow(/no tokenizer\.json/);
  });

  it.each([undefined, null, 5, ['checkpoint'], { folder: 'checkpoint' }])(
    'takes the path of a folder, not %s',
    async (folder) => {
      for (const action of [load, verify, openFolder, readCheckpointFiles]) {
        const refused = expect(async () => action(folder as unknown as string)).rejects;
        await refused.toThrow(InputError);
        await refused.toThrow(/^The folder is .+, expected its path as a text\.\n/);
      }
    },
  );

  it('names a folder without golden outputs, and damaged golden outputs', async () => {
    await expect(verify(root)).rejects.toThrow(ConfigError);
    await expect(verify(root)).rejects.toThrow(/no golden\.safetensors to compare with/);
    await expect(verify(join(root, 'missing'))).rejects.toThrow(/There is no such folder/);
    const folder = await changed('text-llama3', (tensor) => tensor);
    const path = join(folder, 'golden.safetensors');
    await writeFile(path, (await readFile(path)).subarray(0, -1));
    await expect(verify(folder)).rejects.toThrow(WeightError);
  });
});
