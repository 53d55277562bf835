import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { namedParameters, type Part } from '@weft/graph';
import { presetModel, presetNames } from '@weft/models';
import { describe, expect, it } from 'vitest';
import { presetRows, root } from './blocks.js';

type Make = (preset: string) => Part;

/** Presets of a part are exported as `clipPresets` beside the factory `clip`. */
async function presetsOf(name: string): Promise<[preset: string, make: Make][]> {
  const exports = (await import(`@weft/${name}`)) as Readonly<Record<string, unknown>>;
  return Object.entries(exports)
    .filter(([key]) => key.endsWith('Presets'))
    .flatMap(([key, presets]) =>
      Object.keys(presets as object).map((preset): [string, Make] => [
        preset,
        exports[key.slice(0, -'Presets'.length)] as Make,
      ]),
    );
}

function expectCounts(page: string, presets: readonly (readonly [preset: string, make: Make])[]): void {
  const counted = presets.map(([name, make]) => {
    const parameters = [...namedParameters(make(name)).values()].reduce(
      (sum, { elements }) => sum + elements,
      0,
    );
    return { name, parameters };
  });
  expect(presetRows(page)).toEqual(counted);
}

describe('a table of presets', () => {
  const parts = readdirSync(join(root, 'packages')).filter(
    (name) =>
      /^(encoder|backbone|codec)-/.test(name) && existsSync(join(root, 'packages', name, 'README.md')),
  );
  it.each(parts)('names all sizes with the parameters that the code counts: %s', async (name) => {
    expectCounts(`packages/${name}/README.md`, await presetsOf(name));
  });

  it('names the models with vision', async () => {
    const models = await Promise.all(
      presetNames().map(async (name) => [name, await presetModel(name)] as const),
    );
    expectCounts(
      'packages/models/README.md',
      models.filter(([, { senses }]) => senses.length > 0).map(([name, { module }]) => [name, () => module]),
    );
  });
});
