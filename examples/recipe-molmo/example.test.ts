import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { namedParameters } from '@weft/graph';
import { modelOf } from '@weft/models';
import { readCheckpointFiles } from '@weft/runtime';
import type { Model } from '@weft/spec';
import { expect, it } from 'vitest';
import { molmo } from './main.js';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

it('gives what the reference gives, as its README says', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [path('dist/main.js')]);
  const [, expected] = /```text\n([^]*?)```/.exec(await readFile(path('README.md'), 'utf8'))!;
  expect(stdout).toBe(expected);
  expect(stdout).toMatch(/^logits +as the reference$/m);
});

it("has the parameters of Weft's own recipe, by name and shape", async () => {
  const files = await readCheckpointFiles(path('../../packages/models/__fixtures__/molmo-portrait'));
  const shapes = ({ module }: Model) =>
    Object.fromEntries([...namedParameters(module)].map(([name, { shape }]) => [name, shape]));
  expect(shapes(molmo(files))).toEqual(shapes(await modelOf(files.config, files)));
});
