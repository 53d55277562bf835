import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const main = fileURLToPath(new URL('dist/main.js', import.meta.url));

it('trains the connector alone, and the loss falls', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weft-train-'));
  const { stdout } = await promisify(execFile)(process.execPath, [main, '20', folder]);
  expect(stdout).toMatch(/^encoder .* 0 {2}frozen/m);
  expect(stdout).toMatch(/^connector .* trainable {2}3\.0e-3$/m);
  expect(stdout).toMatch(/^backbone .* 0 {2}frozen/m);
  expect(stdout).toMatch(/The connector has learnt\.\n$/);
  expect(await readdir(folder)).toEqual(expect.arrayContaining(['metrics.jsonl', 'loss.svg']));
  await rm(folder, { recursive: true });
});
