import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { root } from './blocks.js';

it('has the pages of all verified models, with the tables that code and stored results give', async () => {
  const run = promisify(execFile);
  const { stderr } = await run(process.execPath, ['tools/model-pages.mjs', '--check'], { cwd: root }).catch(
    (error: { stderr: string }) => error,
  );
  expect(stderr).toBe('');
}, 60_000);
