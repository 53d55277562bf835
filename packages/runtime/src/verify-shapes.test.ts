import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError, isWeftError } from '@weft/errors';
import { openSafetensors, writeSafetensors, type TensorToWrite } from '@weft/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { verify } from './verify.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-shapes-'));
});
afterAll(() => rm(root, { recursive: true }));

/** A fixture of whose golden file one tensor has another shape; its values stay in their order, and end earlier. */
async function reshaped(
  name: string,
  tensor: string,
  shapeOf: (shape: readonly number[]) => readonly number[],
): Promise<string> {
  const folder = await mkdtemp(join(root, `${name}-`));
  await cp(fixture(name), folder, { recursive: true });
  const path = join(folder, 'golden.safetensors');
  const file = await openSafetensors(path);
  const tensors: TensorToWrite[] = [];
  for (const [key, { dtype, shape }] of file.tensors) {
    const data = await file.read(key);
    if (key !== tensor) tensors.push({ name: key, dtype, shape, data });
    else {
      const next = shapeOf(shape);
      const count = (sizes: readonly number[]): number => sizes.reduce((product, size) => product * size, 1);
      const bytes = count(next) * (data.length / count(shape));
      tensors.push({ name: key, dtype, shape: next, data: data.subarray(0, bytes) });
    }
  }
  const { metadata } = file;
  await file.close();
  await writeSafetensors(path, tensors, { metadata });
  return folder;
}

const reversed = (shape: readonly number[]): readonly number[] => shape.toReversed();
const flat = (shape: readonly number[]): readonly number[] => [shape.reduce((a, b) => a * b, 1)];
const deeper = (shape: readonly number[]): readonly number[] => [1, ...shape];

describe('a reference whose values are right and whose shape is not', () => {
  it.each<[string, string, string, (shape: readonly number[]) => readonly number[]]>([
    ['text-llama3', 'logits', 'with reversed axes', reversed],
    ['text-llama3', 'logits', 'without axes', flat],
    [
      'llava-batch',
      'logits',
      'with rows and tokens exchanged',
      ([rows, length, size]) => [length!, rows!, size!],
    ],
    ['text-llama3', 'generated', 'of no token', () => [1, 0]],
    ['text-llama3', 'generated', 'with reversed axes', reversed],
    ['llava-batch', 'generated', 'of fewer rows', () => [1, 12]],
    ['llava-batch', 'generated', 'of no row', () => [0, 12]],
    ['text-llama3', 'generated', 'with another axis', deeper],
    ['llava-clip', 'image_features', 'without axes', flat],
    ['llava-clip', 'image_features', 'with reversed axes', reversed],
  ])('is refused: %s, %s %s', async (name, tensor, _, shapeOf) => {
    const verified = verify(await reshaped(name, tensor, shapeOf));
    await expect(verified).rejects.toThrow(InputError);
    await expect(verified).rejects.toThrow(
      new RegExp(`${tensor} of the golden file is \\[.*, but the model gives`),
    );
  });

  it.each<[string, string, string, (shape: readonly number[]) => readonly number[]]>([
    ['llava-clip', 'expected_input_ids', 'with reversed axes', reversed],
    ['text-llama3', 'expected_input_ids', 'without axes', flat],
    ['qwen2-vl-two', 'expected_position_ids', 'with reversed axes', reversed],
    ['mllama-apart', 'expected_cross_attention_mask', 'with reversed axes', reversed],
    ['molmo-portrait', 'expected_image_input_idx', 'with reversed axes', reversed],
  ])('fails: %s, %s %s', async (name, tensor, _, shapeOf) => {
    const { checks } = await verify(await reshaped(name, tensor, shapeOf));
    expect(checks.filter(({ ok }) => !ok).map((check) => check.name)).toEqual([
      tensor.replace('expected_', ''),
    ]);
  });

  it('passes where fewer tokens of the continuation were kept', async () => {
    const { checks } = await verify(await reshaped('text-llama3', 'generated', () => [1, 5]));
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
  });

  it('is told by an error of Weft even where nothing is left of it', async () => {
    for (const tensor of ['logits', 'image_features', 'generated']) {
      const error = await verify(await reshaped('llava-clip', tensor, () => [])).catch(
        (thrown: unknown) => thrown,
      );
      expect(isWeftError(error)).toBe(true);
    }
  });
});
