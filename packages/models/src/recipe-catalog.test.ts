import { describe, expect, it } from 'vitest';
import { recipeCatalog } from './recipe-catalog.js';

describe('the catalog of recipes', () => {
  it.each(recipeCatalog.map((entry) => [entry.name, entry] as const))(
    'says of %s what its file defines',
    async (_, { load, packages, ...stated }) => {
      const { name, types, presets } = await load();
      expect(stated).toEqual({ name, types, presets: Object.keys(presets) });
      expect(packages.every((home) => home.startsWith('@weft/'))).toBe(true);
    },
  );

  it('names no model type and no published size twice', () => {
    for (const names of [
      recipeCatalog.flatMap(({ types }) => types),
      recipeCatalog.flatMap(({ presets }) => presets),
    ])
      expect(new Set(names).size).toBe(names.length);
  });
});
