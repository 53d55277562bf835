// Bun and Deno from the npm registry, to try what runs in Node in them too.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printJson } from './manifest.mjs';

const windows = process.platform === 'win32';

/** Their packages hold no program, but depend on one package for each platform, of which npm takes the one that fits. */
const wanted = [
  { name: 'bun', version: '1.4.5', scope: '@oven', file: join('bin', 'bun'), args: [] },
  // Deno asks before it reads files or loads native modules, and writes a lock file beside a package.json.
  { name: 'deno', version: '2.9.6', scope: '@deno', file: 'deno', args: ['run', '-A', '--no-lock'] },
];

/**
 * Installs both into a new folder, without their install scripts, which would only move the program.
 *
 * @returns those that there are for this platform: `{ name, version, command, args }`
 */
export function otherRuntimes(folder) {
  mkdirSync(folder);
  const dependencies = Object.fromEntries(wanted.map(({ name, version }) => [name, version]));
  writeFileSync(join(folder, 'package.json'), printJson({ private: true, dependencies }));
  const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', '--loglevel=error'];
  const { status, stderr } = spawnSync('npm', ['install', ...options], {
    cwd: folder,
    encoding: 'utf8',
    shell: windows,
  });
  if (status !== 0) {
    console.log(`runtimes: neither Bun nor Deno can be installed here, so neither is tried\n${stderr}`);
    return [];
  }
  return wanted.flatMap(({ scope, file, ...runtime }) => {
    const home = join(folder, 'node_modules', scope);
    const commands = (existsSync(home) ? readdirSync(home) : []).map((platform) =>
      join(home, platform, windows ? `${file}.exe` : file),
    );
    // Of several builds for a platform, such as one for older processors, the first that starts is taken.
    const command = commands.find((path) => spawnSync(path, ['--version']).status === 0);
    if (command === undefined) console.log(`runtimes: there is no ${runtime.name} for this platform`);
    return command === undefined ? [] : [{ ...runtime, command }];
  });
}
