import { vi } from 'vitest';
import { run } from '../src/run.js';
import type { Outcome } from './weft.js';

/** Runs the command in this process, which is quicker than a new one; standard input is that of the tests. */
export async function runHere(args: readonly string[]): Promise<Outcome> {
  const outcome = { stdout: '', stderr: '' };
  const taps = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      outcome[name] += String(text);
      return true;
    }),
  );
  try {
    const code = await run(args);
    return { code, ...outcome };
  } finally {
    for (const tap of taps) tap.mockRestore();
  }
}
