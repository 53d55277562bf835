import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

it('prints what its README says, and writes three folders', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weft-swap-'));
  const { stdout } = await promisify(execFile)(process.execPath, [path('dist/main.js'), folder]);
  const [, expected] = /```text\n([^]*?)```/.exec(await readFile(path('README.md'), 'utf8'))!;
  expect(stdout).toBe(expected);
  expect(await readdir(folder)).toEqual(['mllama-apart', 'molmo-portrait', 'qwen2-vl-two']);
  await rm(folder, { recursive: true });
});
