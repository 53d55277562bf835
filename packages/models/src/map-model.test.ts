import { readFileSync } from 'node:fs';
import { ConfigError } from '@weft/errors';
import {
  add,
  isModule,
  linear as linearOp,
  module,
  mul,
  namedParameters,
  Parameter,
  replaceAt,
  trace,
  type AnyModule,
  type Graph,
  type Value,
} from '@weft/graph';
import { gatedMlp, linear } from '@weft/nn';
import { part, senseOf, type Backbone, type Json, type Model } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { textGraph, trainingGraph, visionGraph } from './graphs.js';
import { mapModel, withTree } from './map-model.js';
import { modelOf } from './recipes.js';

const fixture = async (name: string): Promise<Model> => {
  const text = readFileSync(new URL(`../__fixtures__/${name}/config.json`, import.meta.url), 'utf8');
  return await modelOf(JSON.parse(text) as Json);
};

/** A linear layer with a low-rank change beside it, under the layer's own names. */
function withAdapter(base: AnyModule, isUsed = true): AnyModule {
  const [outSize, inSize] = (base.parts['weight'] as Parameter).shape as [number, number];
  const parts = {
    base: base as AnyModule & ((x: Value) => Value),
    lora_A: new Parameter([2, inSize]),
    lora_B: new Parameter([outSize, 2], { kind: 'zeros' }),
  };
  return module(
    'LowRank',
    parts,
    (m, x: Value) => (isUsed ? add(m.base(x), linearOp(linearOp(x, m.lora_A), m.lora_B)) : m.base(x)),
    { paths: { base: '' } },
  );
}

const projections = /^language_model\.model\.layers\.[01]\.self_attn\.[qv]_proj$/;
const adapted = (model: Model, isUsed = true): Model =>
  mapModel(model, (one, path) => (isModule(one) && projections.test(path) ? withAdapter(one, isUsed) : one));
const adaptersIn = ({ parameters }: Graph): string[] =>
  [...parameters.keys()].filter((path) => /\.lora_[AB]$/.test(path));

describe('mapModel', async () => {
  const model = await fixture('llava-clip');

  it('changes every graph that the change concerns', () => {
    const changed = adapted(model);
    expect(adaptersIn(textGraph(changed))).toHaveLength(8);
    expect(adaptersIn(trainingGraph(changed, { images: true }))).toHaveLength(8);
    expect(adaptersIn(trainingGraph(changed, { images: false }))).toHaveLength(8);
    expect(adaptersIn(visionGraph(changed))).toEqual([]);
    expect(adaptersIn(textGraph(model))).toEqual([]);
  });

  it('keeps the sense of pictures, which a model names', () => {
    expect(model.vision).toBe(senseOf(model, 'image'));
    expect(adapted(model).vision).toBe(senseOf(model, 'image'));
  });

  it('keeps the names of all that was there, so that the checkpoint still fits', () => {
    const names = [...namedParameters(adapted(model).module).keys()];
    expect(names).toEqual(expect.arrayContaining([...namedParameters(model.module).keys()]));
  });

  it('changes towers and connectors alike', () => {
    const changed = mapModel(model, (one, path) =>
      isModule(one) && path === 'multi_modal_projector.linear_1' ? withAdapter(one) : one,
    );
    expect(adaptersIn(visionGraph(changed))).toHaveLength(2);
    expect(adaptersIn(textGraph(changed))).toEqual([]);
  });

  it('goes through the layers that a fusion added, and through the order of their stack', async () => {
    const crossed = await fixture('nvlm-x');
    const changed = mapModel(crossed, (one, path) =>
      isModule(one) && path.endsWith('.cross_attn.q_proj') ? withAdapter(one) : one,
    );
    const { layers } = part(changed, 'backbone');
    const inAdded = changed.added.flatMap((layer) => [...namedParameters(layers[layer]!).keys()]);
    expect(inAdded.filter((path) => path.includes('lora_'))).toHaveLength(2 * crossed.added.length);
    expect(adaptersIn(textGraph(changed))).toHaveLength(2 * crossed.added.length);
    expect(adaptersIn(textGraph(changed, { tiles: false }))).toEqual([]);
  });

  it('refuses a selector that matches nothing, and says what was looked for', () => {
    const none = () => mapModel(model, (one) => one, { what: 'layers called qkv' });
    expect(none).toThrow(ConfigError);
    expect(none).toThrow(/No part of the tree was replaced, looking for layers called qkv/);
  });

  it('refuses a change whose parameters no graph would use', () => {
    expect(() => adapted(model, false)).toThrow(ConfigError);
    expect(() => adapted(model, false)).toThrow(
      /8 of the 8 parameters that the change brings are in no graph[^]*q_proj\.lora_A/,
    );
  });

  const lastOfTower = /^vision_tower\..*\.layers\.2\.self_attn\.q_proj$/;

  it('says that no graph reads the layers after the one whose states are taken', () => {
    const lora = (selected: RegExp, isUsed: boolean) => () =>
      mapModel(model, (one, path) => (isModule(one) && selected.test(path) ? withAdapter(one, isUsed) : one));
    expect(lora(lastOfTower, true)).toThrow(ConfigError);
    expect(lora(lastOfTower, true)).toThrow(
      /2 of the 2 parameters[^]*No graph reads 'vision_tower\..*layers\.2\.self_attn\.q_proj' before the change either/,
    );
    expect(lora(lastOfTower, true)).not.toThrow(/must call the parts/);
    expect(lora(/\.layers\.[02]\.self_attn\.q_proj$/, false)).toThrow(
      /No graph reads[^]*must call the parts that it holds/,
    );
  });

  it('refuses a change without parameters that changes nothing that a graph reads', () => {
    const wrapped = (selected: RegExp, factor?: number) => () =>
      mapModel(model, (one, path) => {
        if (!isModule(one) || !selected.test(path)) return one;
        const base = one as AnyModule & ((x: Value) => Value);
        const forward = (m: { readonly base: typeof base }, x: Value): Value =>
          factor === undefined ? m.base(x) : mul(m.base(x), factor);
        return module('Wrapped', { base }, forward, { paths: { base: '' } });
      });
    for (const change of [wrapped(lastOfTower, 0.1), wrapped(projections)]) {
      expect(change).toThrow(ConfigError);
      expect(change).toThrow(/changes nothing that any graph of the model reads/);
    }
    expect(wrapped(projections, 0.1)).not.toThrow();
    expect(withTree(model, model.module).module).toBe(model.module);
  });

  it('refuses a graph in which the change is left out', () => {
    const changed = adapted(model);
    const stale: Backbone = part(model, 'backbone');
    const graph = () =>
      trace(
        changed.module,
        { input_ids: { dtype: 'int64', shape: ['batch', 'sequence'] } },
        ({ input_ids }) => ({
          states: stale.decode({ hiddenStates: stale.embed(input_ids), positionIds: input_ids }),
        }),
      );
    expect(graph).toThrow(ConfigError);
    expect(graph).toThrow(/'Decoder' that has parameters is not part of the traced model[^]*mapModel/);
  });

  it('refuses a tree that lacks a part, or takes other tensors', async () => {
    expect(() => mapModel(model, (one) => (one === part(model, 'encoder') ? null : one))).toThrow(
      /leaves out the part 'encoder'/,
    );
    const larger = part(await fixture('llava-siglip-qwen2'), 'encoder');
    const changed = () => mapModel(model, (one) => (one === part(model, 'encoder') ? larger : one));
    expect(changed).toThrow(ConfigError);
  });
});

describe('withTree', async () => {
  const model = await fixture('llava-clip');
  const { hiddenSize } = part(model, 'backbone').shape;

  it('takes a tree in which one part was replaced', () => {
    const path = 'language_model.model.layers.0.mlp';
    const narrow = gatedMlp({ hiddenSize, intermediateSize: 7, hiddenAct: 'silu' });
    const changed = withTree(
      model,
      replaceAt(model.module, path, () => narrow),
    );
    expect(textGraph(changed).parameters.get(`${path}.down_proj.weight`)!.shape).toEqual([hiddenSize, 7]);
  });

  it('refuses a tree of another vocabulary', () => {
    const head = linear(hiddenSize, 3, { bias: false });
    const changed = () =>
      withTree(
        model,
        replaceAt(model.module, 'language_model.lm_head', () => head),
      );
    expect(changed).toThrow(ConfigError);
    expect(changed).toThrow(/The change makes 'logits' of the graphs float32 \[rows, 3\]; it was float32/);
  });
});
