// Runs before the tests, and before each rerun in watch mode: tests import other packages, and start workers and
// commands, as they are built, so what is built must be what stands in the sources.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { foldersOf, root } from './manifest.mjs';

function build() {
  const compiler = join(
    dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
    'bin',
    'tsc',
  );
  const projects = ['packages', 'examples']
    .flatMap(foldersOf)
    .map(({ folder }) => folder)
    .filter((folder) => existsSync(join(folder, 'tsconfig.json')));
  const { status, stdout } = spawnSync(process.execPath, [compiler, '--build', ...projects], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`The sources do not compile, so there is nothing to test.\n${stdout}`);
}

export default function setup(project) {
  build();
  project.onTestsRerun(build);
}
