// Fails when a project gets more than it asks for, or less than it needs: installs packed packages with plain npm into
// new projects, and runs programs there. `node tools/check-install.mjs [FOLDER OF TARBALLS]`; build first.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { imports, packageOf } from './imports.mjs';
import { isPartPackage, printJson, publishedName, readManifest, root } from './manifest.mjs';
import { otherRuntimes } from './other-runtimes.mjs';
import { packAll, tarballsIn } from './pack.mjs';

/** Packages that may be installed where five are named. */
const most = 18;
const small = ['runtime', 'encoder-siglip', 'connector-mlp', 'backbone-qwen2', 'fusion-unified'].map(
  publishedName,
);
const whole = [publishedName('weft-vlm')];
const runtime = readManifest(root).devDependencies['onnxruntime-node'];
const windows = process.platform === 'win32';

const problems = [];
const desk = mkdtempSync(join(tmpdir(), 'weft-install-'));
try {
  const given = process.argv[2];
  const packed = join(desk, 'packed');
  mkdirSync(packed);
  const tarballs = given === undefined ? packAll(packed) : tarballsIn(resolve(given));

  const few = install('small', small, { 'onnxruntime-node': runtime }, tarballs);
  const unasked = few.packages.filter((name) => isPartPackage(shortName(name)) && !small.includes(name));
  if (few.packages.length > most)
    problems.push(`small: ${few.packages.length} packages instead of ${most}: ${few.packages.join(', ')}`);
  for (const name of unasked) problems.push(`small: ${name} is installed, which the project does not name`);
  checkImports(few);
  program(few, 'small.mjs', [
    join(root, 'packages', 'tiny', 'model'),
    join(root, 'packages', 'models', '__fixtures__'),
  ]);

  const all = install('whole', whole, {}, tarballs);
  checkImports(all);
  program(all, 'whole.mjs');
  for (const args of [['--version'], ['demo']])
    run(all, `npx -p weft-vlm weft ${args.join(' ')}`, 'npm', [
      'exec',
      '--no',
      `--package=${whole[0]}`,
      '--',
      'weft',
      ...args,
    ]);
  program(all, 'runtimes.mjs');
  for (const { name, version, command, args } of otherRuntimes(join(desk, 'runtimes'))) {
    // What they print of their own must stay empty: an uncaught error in a worker ends no process.
    run(all, `${name} ${version}`, command, [...args, 'runtimes.mjs'], { isQuiet: true });
    run(all, `${name} ${version}: weft ask`, command, [
      ...args,
      join('node_modules', whole[0], 'dist', 'main.js'),
      'ask',
      'Hello?',
      '--max-tokens=2',
    ]);
  }
  const { packages } = all;
  console.log(
    `install: ${few.packages.length} packages for ${small.length} named, ${packages.length} for weft-vlm`,
  );
} finally {
  rmSync(desk, { recursive: true, force: true });
}

for (const problem of problems) console.error(problem);
console.log(`install: ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);

/** A new project with its dependencies installed, and the packages of ours that are there. */
function install(name, named, others, tarballs) {
  const folder = join(desk, name);
  const address = (of) => pathToFileURL(tarballs.get(of)).href;
  const unnamed = [...tarballs.keys()].filter((other) => !named.includes(other));
  const entries = (names) => Object.fromEntries(names.map((of) => [of, address(of)]));
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'package.json'),
    // Nothing is published yet: what others depend on comes from the tarballs too.
    printJson({ private: true, dependencies: { ...entries(named), ...others }, overrides: entries(unnamed) }),
  );
  const project = { name, folder };
  const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', '--loglevel=error'];
  if (!run(project, 'npm install', 'npm', ['install', ...options])) throw new Error(problems.join('\n'));
  const scope = join(folder, 'node_modules', '@weft');
  const packages = readdirSync(scope).map((short) => `@weft/${short}`);
  return { ...project, packages };
}

/** Every import of an installed package is listed by it, and is there unless it is an optional peer. */
function checkImports({ name, folder, packages }) {
  for (const installed of [...packages, ...whole].filter((of) =>
    existsSync(join(folder, 'node_modules', of)),
  )) {
    const home = join(folder, 'node_modules', installed);
    const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = readManifest(home);
    for (const file of builtFiles(join(home, 'dist')))
      for (const specifier of imports(readFileSync(file, 'utf8'))) {
        const target = packageOf(specifier);
        if (target === undefined || target === installed) continue;
        const where = `${name}: ${installed}/${relative(home, file)} imports ${specifier}`;
        if (!(target in dependencies) && !(target in peerDependencies))
          problems.push(`${where}, which its package.json does not list`);
        else if (!peerDependenciesMeta[target]?.optional && !resolves(specifier, file))
          problems.push(`${where}, which is not there`);
      }
  }
}

function resolves(specifier, from) {
  try {
    return Boolean(createRequire(from).resolve(specifier));
  } catch {
    return false;
  }
}

function* builtFiles(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (entry.isFile() && /\.(js|d\.ts)$/.test(entry.name)) yield join(entry.parentPath, entry.name);
}

/** Copies a program into a project and runs it there. */
function program(project, file, args = []) {
  cpSync(join(root, 'tools', 'install-check', file), join(project.folder, file));
  run(project, file, process.execPath, [file, ...args]);
}

function run({ name, folder }, what, command, args, { isQuiet = false } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    shell: windows && command === 'npm',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const isRight = status === 0 && !(isQuiet && stderr.trim() !== '');
  if (!isRight) problems.push(`${name}: ${what} failed\n${error ?? ''}${stdout}${stderr}`);
  else if (command !== 'npm') console.log(`${name}: ${what}: ${stdout.trim()}`);
  return isRight;
}

function shortName(name) {
  return name.slice('@weft/'.length);
}
