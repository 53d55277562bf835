import { llama, llamaPresets } from '@weft/backbone-llama';
import { qwen2, qwen2Presets } from '@weft/backbone-qwen2';
import { clip, clipPresets } from '@weft/encoder-clip';
import { siglip, siglipPresets } from '@weft/encoder-siglip';
import { namedParameters, type Part } from '@weft/graph';
import { presetModel, presetNames } from '@weft/models';
import { describe, expect, it } from 'vitest';
import { presetRows } from './blocks.js';

type Make = (name: never) => Part;

const tables: readonly [page: string, names: readonly string[], make: Make][] = [
  ['packages/encoder-clip/README.md', Object.keys(clipPresets), clip],
  ['packages/encoder-siglip/README.md', Object.keys(siglipPresets), siglip],
  ['packages/backbone-llama/README.md', Object.keys(llamaPresets), llama],
  ['packages/backbone-qwen2/README.md', Object.keys(qwen2Presets), qwen2],
  ['packages/models/README.md', presetNames(), (name) => presetModel(name).module],
];

describe('a table of presets', () => {
  it.each(tables)('names all sizes with the parameters that the code counts: %s', (page, names, make) => {
    const rows = presetRows(page);
    expect(rows.map(({ name }) => name)).toEqual(names);
    for (const { name, parameters } of rows) {
      const counted = [...namedParameters(make(name as never)).values()].reduce((sum, { elements }) => sum + elements, 0);
      expect([name, parameters]).toEqual([name, counted]);
    }
  });
});
