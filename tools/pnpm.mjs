// Runs the pnpm that package.json names, from PATH when it is that one, else from the npm registry,
// so that a bare clone needs nothing but Node and npm.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const wanted = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')).packageManager.split('@')[1];
const shell = process.platform === 'win32';

/** Runs pnpm with the arguments and returns its exit code. */
export function pnpm(args, options = {}) {
  const found = spawnSync('pnpm', ['--version'], { cwd: '/', encoding: 'utf8', shell });
  const [command, prefix] =
    found.status === 0 && found.stdout.trim() === wanted
      ? ['pnpm', []]
      : ['npx', ['--yes', `pnpm@${wanted}`]];
  const run = spawnSync(command, [...prefix, ...args], { cwd: root, stdio: 'inherit', shell, ...options });
  return run.status ?? 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(pnpm(process.argv.slice(2)));
