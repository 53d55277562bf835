import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSafetensors, writeSafetensors } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, weft } from '../../test/weft.js';

interface Report {
  readonly folder: string;
  readonly recipe: string;
  readonly checks: readonly {
    readonly name: string;
    readonly maxDiff: number;
    readonly tolerance: number;
    readonly ok: boolean;
  }[];
}

let corrupted: string;
beforeAll(async () => {
  corrupted = await mkdtemp(join(tmpdir(), 'weft-verify-'));
  await cp(fixture('text-qwen2-tied'), corrupted, { recursive: true });
  const golden = join(corrupted, 'golden.safetensors');
  const file = await openSafetensors(golden);
  const tensors = await Promise.all(
    [...file.tensors.values()].map(async ({ name, dtype, shape }) => ({
      name,
      dtype,
      shape,
      data: await file.read(name),
    })),
  );
  await file.close();
  const logits = tensors.find(({ name }) => name === 'logits')!.data;
  new DataView(logits.buffer, logits.byteOffset).setFloat32(0, 1e3, true);
  await writeSafetensors(golden, tensors);
});
afterAll(() => rm(corrupted, { recursive: true }));

describe('weft verify', () => {
  it('prints a table and succeeds when all checks pass', async () => {
    const { code, stdout, stderr } = await weft(['verify', fixture('llava-siglip-qwen2')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of [
      'image_features',
      'logits',
      'logits-cached',
      'generated',
      'pixel_values',
      'input_ids',
    ])
      expect(stdout).toMatch(new RegExp(`^${name} .*ok$`, 'm'));
    expect(stdout).toContain('7 checks passed');
  });

  it('fails when one check fails, and says which', async () => {
    const { code, stdout } = await weft(['verify', corrupted, '--json']);
    expect(code).toBe(1);
    const { folder, recipe, checks } = JSON.parse(stdout) as Report;
    expect({ folder, recipe }).toEqual({ folder: corrupted, recipe: 'qwen2' });
    const failed = checks.filter(({ ok }) => !ok);
    expect(failed.map(({ name }) => name)).toEqual(['logits', 'logits-cached']);
    for (const { maxDiff, tolerance } of failed) expect(maxDiff).toBeGreaterThan(tolerance);
    expect(checks.filter(({ ok }) => ok).length).toBeGreaterThan(0);
  });

  it('goes on after a folder that cannot be checked', async () => {
    const { code, stdout, stderr } = await weft(['verify', 'missing', fixture('text-bf16'), '--json']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: There is no such folder\.\n {2}at .*missing$/m);
    expect(JSON.parse(stdout)).toMatchObject([
      { folder: 'missing', error: expect.any(String) },
      { recipe: 'llama' },
    ]);
  });
});
