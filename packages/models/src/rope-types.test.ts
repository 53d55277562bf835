import { readFileSync } from 'node:fs';
import { readAriaConfig } from '@weft/backbone-aria';
import { readLlamaConfig } from '@weft/backbone-llama';
import { readOlmoConfig } from '@weft/backbone-olmo';
import { readPersimmonConfig } from '@weft/backbone-persimmon';
import { readPhi3Config, readPhiConfig } from '@weft/backbone-phi';
import { readQwen2Config } from '@weft/backbone-qwen2';
import { isWeftError, NoticeList } from '@weft/errors';
import { trace } from '@weft/graph';
import { attentionFactorOf, frequenciesAt, frequencyRule, ropeFrequencies, type RopeConfig } from '@weft/nn';
import { interpret } from '@weft/testing';
import { describe, expect, it } from 'vitest';
import { modelOf } from './recipes.js';
import { drawRopeCase, type RopeCase } from '../test/rope-cases.js';

const readers: Readonly<Record<string, (section: RopeCase['section']) => RopeConfig>> = {
  llama: readLlamaConfig,
  mistral: readLlamaConfig,
  qwen2: readQwen2Config,
  olmo2: readOlmoConfig,
  aria_text: readAriaConfig,
  phi: readPhiConfig,
  persimmon: readPersimmonConfig,
  phi3: readPhi3Config,
};

/** What the reference makes of each case: whether it refuses it, the factor, the sum; see `tools/golden/rope.py`. */
function reference(): Float64Array {
  const bytes = readFileSync(new URL('./__fixtures__/rope-types.f64', import.meta.url));
  return new Float64Array(Uint8Array.from(bytes).buffer);
}

/** The configuration, or `undefined` where it is refused. */
function readCase({ section }: RopeCase): RopeConfig | undefined {
  try {
    return readers[String(section['model_type'])]!(section);
  } catch (error) {
    if (!isWeftError(error)) throw error;
    return undefined;
  }
}

/** Frequencies of a text of a length; those that depend on it through the graph that computes them. */
function frequenciesOf(config: RopeConfig, length: number): ArrayLike<number> {
  if (!frequencyRule(config)) return ropeFrequencies(config);
  const graph = trace({}, { lengths: { dtype: 'int64', shape: ['batch'] } }, ({ lengths }) => ({
    frequencies: frequenciesAt(config, lengths),
  }));
  const { frequencies } = interpret(graph, { lengths: { shape: [1], data: [length] } });
  return frequencies!.data;
}

/** Sum of logarithms, so that the smallest frequencies count as much as the largest. */
function sumOf(frequencies: ArrayLike<number>): { readonly sum: number; readonly weight: number } {
  let [sum, weight] = [0, 0];
  for (let j = 0; j < frequencies.length; j++) {
    const own = ((j * 7) % 5) + 1.3;
    weight += own;
    sum += own * (frequencies[j]! > 0 ? Math.log(frequencies[j]!) : -9);
  }
  return { sum, weight };
}

describe('a model', () => {
  const noticesOf = async (config: RopeCase['section']): Promise<string[]> => {
    const list = new NoticeList();
    await modelOf(config, { notice: list.take });
    return list.all.map(({ where }) => where);
  };

  it('tells what its rope section says and it does not apply', async () => {
    const small = { hidden_size: 16, num_attention_heads: 2, num_hidden_layers: 1, vocab_size: 11 };
    const rope = { rope_type: 'linear', factor: 2, beta_fast: 3 };
    expect(await noticesOf({ model_type: 'llama', ...small, rope_parameters: rope })).toEqual([
      'config.json: rope_parameters.beta_fast',
    ]);
    expect(await noticesOf({ model_type: 'olmo2', ...small, partial_rotary_factor: 0.5 })).toEqual([
      'config.json: partial_rotary_factor',
    ]);
    expect(await noticesOf({ model_type: 'phi', ...small, partial_rotary_factor: 0.5 })).toEqual([]);
    const both = {
      rope_scaling: { rope_type: 'default' },
      rope_parameters: { rope_type: 'linear', factor: 2 },
    };
    expect(await noticesOf({ model_type: 'qwen2', ...small, ...both })).toEqual([
      'config.json: rope_parameters',
    ]);
  });
});

describe('4,000 random rope sections of eight families', () => {
  it('are read and refused as transformers does, with its frequencies and factors', () => {
    const results = reference();
    expect(results.length).toBe(12000);
    const wrong: string[] = [];
    const read = new Map<string, number>();
    for (let index = 0; index < results.length / 3; index++) {
      const drawn = drawRopeCase(index);
      const [refused, factor, wanted] = results.subarray(3 * index, 3 * index + 3);
      const config = readCase(drawn);
      const name = `${index}: ${JSON.stringify(drawn)}`;
      if ((config === undefined) !== (refused === 1)) {
        wrong.push(`${name} ${config ? 'read' : 'refused'}`);
        continue;
      }
      if (!config) continue;
      const type = config.ropeScaling?.type ?? 'default';
      read.set(type, (read.get(type) ?? 0) + 1);
      const { sum, weight } = sumOf(frequenciesOf(config, drawn.length));
      // One unit in the last place of float32 in each frequency, and a few in those that a power of a power makes.
      const limit = (type === 'dynamic' ? 8e-7 : 2e-7) * weight;
      if (!(Math.abs(sum - wanted!) <= limit)) wrong.push(`${name} sum ${sum}, expected ${wanted}`);
      if (!(Math.abs(attentionFactorOf(config) - factor!) <= 1e-12))
        wrong.push(`${name} factor ${attentionFactorOf(config)}, expected ${factor}`);
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    for (const type of ['default', 'linear', 'dynamic', 'yarn', 'longrope', 'llama3', 'proportional'])
      expect(read.get(type), type).toBeGreaterThan(100);
  });
});
