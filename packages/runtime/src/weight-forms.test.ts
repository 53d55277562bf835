import { InputError } from '@weft/errors';
import { modelOf } from '@weft/models';
import { schemes } from '@weft/quantize';
import { beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { readCheckpointFiles } from './checkpoint-files.js';
import { chooseWeights, smallWeights, type DtypeOption, type SmallWeight } from './weight-forms.js';

const read = async (name: string) => {
  const { config, preprocessor, videoPreprocessor } = await readCheckpointFiles(fixture(name));
  return modelOf(config, { preprocessor, videoPreprocessor });
};
type Read = Awaited<ReturnType<typeof read>>;

let llava: Read;
let experts: Read;
let tied: Read;
beforeAll(async () => {
  [llava, experts, tied] = (await Promise.all(['llava-clip', 'text-olmoe', 'text-qwen2-tied'].map(read))) as [
    Read,
    Read,
    Read,
  ];
});

const parts = (weights: readonly SmallWeight[]) => [...new Set(weights.map(({ part }) => part))].toSorted();

describe('smallWeights', () => {
  it('finds the matrices of products and tables, and whose they are', () => {
    const weights = smallWeights(llava);
    expect(parts(weights)).toEqual(['backbone', 'connector', 'encoder', 'head']);
    const paths = weights.map(({ path }) => path);
    expect(paths.filter((path) => path.endsWith('q_proj.weight')).length).toBeGreaterThan(2);
    expect(weights.filter(({ part }) => part === 'head').map(({ path }) => path)).toEqual(
      expect.arrayContaining([expect.stringMatching(/embed_tokens/), expect.stringMatching(/lm_head/)]),
    );
    for (const path of paths) expect(path).not.toMatch(/norm|bias|class_embedding|patch_embedding/);
  });

  it('knows the table that is the head as well, and matrices of experts', () => {
    expect(smallWeights(tied).filter(({ part }) => part === 'head')).toMatchObject([
      { path: 'model.embed_tokens.weight' },
    ]);
    expect(smallWeights(experts).filter(({ path }) => path.includes('experts.')).length).toBeGreaterThan(5);
  });
});

describe('chooseWeights', () => {
  const bitsOf = (option: DtypeOption) =>
    Object.fromEntries(
      chooseWeights(llava, option).map(({ path, part, scheme }) => [`${part} ${path}`, scheme.bits]),
    );

  it('chooses by name', () => {
    expect(chooseWeights(llava, 'exact')).toEqual([]);
    expect(chooseWeights(llava, 'float32')).toEqual([]);
    expect(chooseWeights(llava, 'q8').length).toBe(smallWeights(llava).length);
    for (const [where, bits] of Object.entries(bitsOf('q4')))
      expect([where, bits]).toEqual([where, /^backbone(?!.*v_proj)/.test(where) ? 4 : 8]);
    for (const [where, bits] of Object.entries(bitsOf('fast')))
      expect([where, bits]).toEqual([where, /^(backbone|head)/.test(where) ? 4 : 8]);
    expect(chooseWeights(tied, schemes['q4-128']).every(({ scheme }) => scheme.blockSize === 128)).toBe(true);
  });

  it('chooses by part and by path; a path counts before a part, and the last path most', () => {
    const chosen = bitsOf({
      '*.layers.0.*': 'float32',
      backbone: 'q4',
      'language_model.*.layers.0.self_attn.q_proj.weight': 'q8',
    });
    const where = Object.keys(chosen);
    expect(where.every((one) => one.startsWith('backbone'))).toBe(true);
    expect(Object.values(chosen).filter((bits) => bits === 8).length).toBe(1);
    expect(where.filter((one) => one.includes('.layers.0.'))).toEqual([
      expect.stringMatching(/layers\.0\.self_attn\.q_proj\.weight$/),
    ]);
  });

  it.each<[unknown, RegExp]>([
    ['q3', /"q3", expected one of float32, q8,.* fast\./],
    [{ backbone: 'q3' }, /"q3"[^]*dtype\.backbone/],
    [{ arranger: 'q8' }, /'arranger' names no weight of llava[^]*backbone, head|head, backbone|encoder/],
    [{ 'model.nothing.*': 'q8' }, /'model\.nothing\.\*' names no weight/],
    [{ '*.bias': 'q8' }, /names no weight/],
    [null, /is null/],
    [['q4'], /expected|field/],
  ])('refuses %j', (option, message) => {
    expect(() => chooseWeights(llava, option as DtypeOption)).toThrow(message);
    expect(() => chooseWeights(llava, option as DtypeOption)).toThrow(InputError);
  });
});
