import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

it('prints what its README says', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [path('dist/main.js')]);
  const [, expected] = /```text\n([^]*?)```/.exec(await readFile(path('README.md'), 'utf8'))!;
  expect(stdout).toBe(expected);
});
