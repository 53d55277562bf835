import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  add,
  isModule,
  linear,
  module,
  namedParameters,
  Parameter,
  type AnyModule,
  type Value,
} from '@weft/graph';
import { mapModel, modelOf } from '@weft/models';
import type { Json } from '@weft/spec';
import { openCheckpoint, writeCheckpoint, type TensorToWrite } from '@weft/weights';
import { describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { partWeights } from './part-weights.js';

const configOf = async (folder: string): Promise<Json> =>
  JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Json;

/** A linear layer with a low-rank change beside it, under the layer's own names. */
function withAdapter(layer: AnyModule): AnyModule {
  const [outSize, inSize] = (layer.parts['weight'] as Parameter).shape as [number, number];
  const base = layer as AnyModule & ((x: Value) => Value);
  const parts = { base, lora_A: new Parameter([2, inSize]), lora_B: new Parameter([outSize, 2]) };
  return module('LowRank', parts, (m, x: Value) => add(m.base(x), linear(linear(x, m.lora_A), m.lora_B)), {
    paths: { base: '' },
  });
}

describe('partWeights', () => {
  it.each(['llava-clip', 'idefics3-split'])(
    'gives a part whose layers are wrapped the weights of those layers: %s',
    async (name) => {
      const folder = fixture(name);
      const model = await modelOf(await configOf(folder));
      const changed = mapModel(model, (one, path) =>
        isModule(one) && /text_model.*\.q_proj$|language_model.*\.q_proj$/.test(path)
          ? withAdapter(one)
          : one,
      );
      const before = (await partWeights(folder, 'backbone', model)).map((tensor) => tensor.name);
      const after = (await partWeights(folder, 'backbone', changed)).map((tensor) => tensor.name);
      expect(before.some((path) => path.endsWith('.q_proj.weight'))).toBe(true);
      expect(after.toSorted()).toEqual(before.toSorted());
      expect([...namedParameters(changed.module).keys()].some((path) => path.endsWith('.lora_A'))).toBe(true);
    },
  );

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

  it('lends the tower of a checkpoint that is nothing else, whatever encoder reads its model_type', async () => {
    const vlm = fixture('llava-dino');
    const config = await configOf(vlm);
    const folder = await mkdtemp(join(tmpdir(), 'weft-tower-'));
    const checkpoint = await openCheckpoint(vlm);
    const names = [...checkpoint.tensors.keys()].filter((name) => name.startsWith('vision_tower.'));
    const tensors = new Map<string, TensorToWrite>();
    for (const name of names) {
      const { dtype, shape } = checkpoint.tensors.get(name)!;
      const own = name.replace('vision_tower.', '');
      tensors.set(own, { name: own, dtype, shape, data: await checkpoint.read(name) });
    }
    await checkpoint.close();
    await writeCheckpoint(folder, [...tensors.values()]);
    await writeFile(join(folder, 'config.json'), JSON.stringify(config['vision_config']));

    const lent = await partWeights(folder, 'encoder', await modelOf(config));
    expect(lent).toHaveLength(names.length);
    for (const { name, data } of lent) {
      const own = tensors.get(name.replace('vision_tower.vision_model.', ''));
      expect(typeof data === 'function' ? await data() : data, name).toEqual(own!.data);
    }
    await rm(folder, { recursive: true });
  });
});
