import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { catalog } from './catalog.js';

describe('the catalog', () => {
  it.each(catalog.map((entry) => [entry.id, entry] as const))(
    'says of %s what its package defines',
    async (_, { load, package: _home, ...stated }) => {
      const { id, kind, types = [], presets } = await load();
      expect(stated).toEqual({ id, kind, types, presets: Object.keys(presets) });
    },
  );

  it('lists parts that say what each field of their configuration may hold', async () => {
    for (const entry of catalog) {
      const { id, fields } = await entry.load();
      expect(Object.keys(fields ?? {}).length, id).toBeGreaterThan(0);
    }
  });

  it('has a definition of every package of parts', () => {
    const folders = readdirSync(new URL('../..', import.meta.url));
    const parts = folders.filter((name) =>
      /^(encoder|connector|backbone|fusion|positions|codec)-/.test(name),
    );
    const listed = new Set(catalog.map((entry) => entry.package.slice('@weft/'.length)));
    expect(parts.filter((name) => !listed.has(name))).toEqual([]);
    expect(parts.length).toBeGreaterThan(0);
  });

  it('names no id twice, and no type twice among parts of a kind', () => {
    const ids = catalog.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const types = catalog.flatMap(({ kind, types }) => types.map((type) => `${kind} ${type}`));
    expect(new Set(types).size).toBe(types.length);
  });
});
