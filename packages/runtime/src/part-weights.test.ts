import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { modelOf } from '@weft/models';
import type { Json } from '@weft/spec';
import { openCheckpoint, type TensorToWrite } from '@weft/weights';
import { describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { partWeights } from './part-weights.js';

const configOf = async (folder: string): Promise<Json> =>
  JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Json;

describe('partWeights', () => {
  it('gives the experts of a checkpoint that keeps them as one tensor as tensors of their own', async () => {
    const [vlm, llm] = [fixture('llava-clip'), fixture('text-olmoe-merged')];
    const text = await configOf(llm);
    const model = await modelOf({ ...(await configOf(vlm)), text_config: text, image_token_index: 3 });
    const weights = new Map(
      (await partWeights(llm, 'backbone', model)).map((tensor) => [tensor.name, tensor]),
    );
    const bytesOf = async (name: string): Promise<Uint8Array> => {
      const { data } = weights.get(name)! as TensorToWrite & { data: () => Promise<Uint8Array> };
      return data();
    };

    const checkpoint = await openCheckpoint(llm);
    const fused = await checkpoint.read('model.layers.1.mlp.experts.gate_up_proj');
    await checkpoint.close();
    const rows = Number(text['intermediate_size']);
    const bytes = rows * Number(text['hidden_size']) * 4;
    for (const [i, part] of ['gate_proj', 'up_proj'].entries()) {
      const name = `language_model.model.layers.1.mlp.experts.3.${part}.weight`;
      expect(weights.get(name)!.shape).toEqual([rows, text['hidden_size']]);
      expect(await bytesOf(name)).toEqual(fused.slice((6 + i) * bytes, (7 + i) * bytes));
    }
  });
});
