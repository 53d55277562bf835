import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';

const run = promisify(execFile);

/** Runs a program that has `model`, and `long`, one run that takes a while, in a process of its own. */
async function program(body: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const library = new URL('../dist/index.js', import.meta.url).href;
  const folder = JSON.stringify(fixture('text-llama3'));
  const source = `
    import { load } from ${JSON.stringify(library)};
    const model = await load(${folder});
    const long = () => model.forward({ input_ids: { dtype: 'int64', shape: [24, 400], data: new BigInt64Array(24 * 400).fill(7n) } });
    ${body}`;
  return run(process.execPath, ['--input-type=module', '-e', source], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
  }).then(
    (output) => ({ code: 0, ...output }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

describe('a model in a worker', () => {
  it('does not keep the process alive, nor needs to be closed', async () => {
    const { code, stdout } = await program(
      `console.log((await model.generate({ prompt: 'A', maxNewTokens: 3 }).result()).generatedTokens);`,
    );
    expect([code, stdout]).toEqual([0, '3\n']);
  });

  it('keeps the process alive while it computes', async () => {
    const { code, stdout } = await program(`long().then(({ shape }) => console.log(shape[0]));`);
    expect([code, stdout]).toEqual([0, '24\n']);
  });

  it('lets the process end in the middle of a run with its own code', async () => {
    const { code, stderr } = await program(`long(); setTimeout(() => process.exit(3), 50);`);
    expect([code, stderr]).toEqual([3, '']);
  });

  it('lets the process end by an exception in the middle of a run', async () => {
    const { code, stderr } = await program(
      `long(); setTimeout(() => { throw new Error('the program failed'); }, 50);`,
    );
    expect(code).toBe(1);
    expect(stderr).toContain('the program failed');
    expect(stderr).not.toContain('terminate called');
  });
});
