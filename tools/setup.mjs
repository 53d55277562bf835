// Brings a clone into a state where the command can run: installs what the lockfile names, then builds.
// Both steps are skipped when nothing changed since the last time.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { foldersOf, root } from './manifest.mjs';
import { pnpm } from './pnpm.mjs';

const quiet = process.argv.includes('--quiet');
const stamps = join(root, 'node_modules', '.weft');

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Weft needs Node 20.19 or newer; this is ${process.version}.`);
  process.exit(1);
}

const packages = ['packages', 'examples'].flatMap(foldersOf).map(({ folder }) => folder);
const manifests = [root, join(root, 'docs'), ...packages].map((folder) => join(folder, 'package.json'));

step('install', [join(root, 'pnpm-lock.yaml'), join(root, 'pnpm-workspace.yaml'), ...manifests], () =>
  pnpm(['install', '--frozen-lockfile', ...(quiet ? ['--silent'] : [])], output()),
);

const sources = packages.flatMap((folder) =>
  [...walk(join(folder, 'src')), join(folder, 'main.ts')].filter((file) => existsSync(file)),
);
step('build', [join(root, 'tsconfig.base.json'), ...manifests, ...sources], () =>
  pnpm(['exec', 'turbo', 'run', 'build', '--output-logs=errors-only'], {
    ...output(),
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
  }),
);

/** Quiet commands print one JSON object or an answer on stdout: everything of ours goes to stderr. */
function output() {
  return quiet ? { stdio: ['ignore', 2, 2] } : {};
}

function step(name, files, run) {
  const stamp = join(stamps, name);
  const hash = createHash('sha256').update(process.version);
  for (const file of files) hash.update(file).update(readFileSync(file));
  const now = hash.digest('hex');
  const built = name === 'install' || packages.every((folder) => existsSync(join(folder, 'dist')));
  if (built && existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return;
  const code = run();
  if (code !== 0) process.exit(code);
  mkdirSync(stamps, { recursive: true });
  writeFileSync(stamp, now);
}

function* walk(folder) {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* walk(path);
    else if (/\.(ts|json)$/.test(name) && !name.endsWith('.test.ts')) yield path;
  }
}
