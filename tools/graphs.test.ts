import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('has the graphs of all published sizes as they are stored; otherwise it says which have moved', async () => {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const run = promisify(execFile)(process.execPath, ['tools/graphs.mjs'], { cwd: root });
  const { stderr } = await run.catch((error: { stderr: string }) => error);
  expect(stderr).toBe('');
});
