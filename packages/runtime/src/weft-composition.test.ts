import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namedParameters } from '@weft/graph';
import { modelOf } from '@weft/models';
import type { Json, Model } from '@weft/spec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeAsComposition } from '../test/as-composition.js';
import { bound, fixture, fixtureNames, storedDifferences } from '../test/fixtures.js';
import { verify } from './verify.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-composition-'));
});
afterAll(() => rm(root, { recursive: true }));

const shapesOf = ({ module }: Model): [string, string][] =>
  [...namedParameters(module)].map(([path, { shape }]) => [path, shape.join()]);

describe('a composition', () => {
  it.each(fixtureNames)('is saved by its parts, read back, and verified: %s', async (name) => {
    const folder = join(root, name);
    const model = await writeAsComposition(fixture(name), folder);
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Json;
    expect(config['model_type']).toBe('weft');
    const again = await modelOf(config);
    expect(shapesOf(again)).toEqual(shapesOf(model));
    expect([again.added, again.positions?.config, again.prompt]).toEqual([
      model.added,
      model.positions?.config,
      model.prompt,
    ]);
    const { checks } = await verify(folder);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    const figures = storedDifferences(name)!;
    expect(checks.map((check) => check.name).toSorted()).toEqual(Object.keys(figures).toSorted());
    for (const { name: what, maxDiff } of checks)
      expect(maxDiff, `${what} of ${name}, stored as ${figures[what]}`).toBeLessThanOrEqual(
        bound(figures[what]!),
      );
  });
});
