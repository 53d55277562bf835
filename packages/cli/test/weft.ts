import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Folder of a tiny checkpoint made by the reference implementation. */
export const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../models/__fixtures__/${name}`, import.meta.url));

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface WeftOptions {
  readonly cwd?: string;
  /** Standard input; empty unless given. */
  readonly input?: string;
  /** Whether standard input stays open after `input`. */
  readonly keepOpen?: boolean;
  /** Sends Ctrl-C once standard output has this text. */
  readonly interruptAfter?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs the built command in a process of its own. */
export async function weft(
  args: readonly string[],
  { cwd, input = '', keepOpen = false, interruptAfter, env = {} }: WeftOptions = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...env },
  });
  const exited = once(child, 'exit');
  const closed = once(child, 'close');
  let [stdout, stderr, isInterrupted] = ['', '', false];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (interruptAfter === undefined || isInterrupted || !stdout.includes(interruptAfter)) return;
    isInterrupted = child.kill('SIGINT');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.write(input);
  if (!keepOpen) child.stdin.end();
  const [code] = (await exited) as [number | null];
  child.stdin.destroy();
  await closed;
  return { code, stdout, stderr };
}
