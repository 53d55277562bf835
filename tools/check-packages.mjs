// Fails when a package or an example is not built like all others. Build first: it looks for the files of `exports`.
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { sources, workspaceImports } from './imports.mjs';
import {
  docsManifest,
  foldersOf,
  printJson,
  publishedName,
  readManifest,
  root,
  tsconfigOf,
  umbrella,
  umbrellaSources,
  withCommonFields,
} from './manifest.mjs';
import { packageTable, tableIn } from './write-tables.mjs';

const problems = [];
const mend = 'run `node tools/package.mjs`';

for (const place of foldersOf('packages')) {
  const { name, folder } = place;
  const report = (problem) => problems.push(`packages/${name}: ${problem}`);
  const manifest = readManifest(folder);
  const text = readFileSync(join(folder, 'package.json'), 'utf8');
  if (text !== printJson(withCommonFields(manifest, name)))
    report(`package.json has other common fields or another order; ${mend}`);
  if (!/^[A-Z].{20,160}\.$/.test(manifest.description))
    report('the description must be one sentence of 20 to 160 characters');
  if (manifest.sideEffects !== false) report('package.json must say "sideEffects": false');
  for (const file of [
    ...Object.values(manifest.exports).flatMap(Object.values),
    ...Object.values(manifest.bin ?? {}),
  ])
    if (!existsSync(join(folder, file))) report(`${file} is not built`);
  checkReadme(folder, `# ${publishedName(name)}\n`, report);
  checkTsconfig(place, report);
  checkSources(folder, manifest, report);
}

for (const place of foldersOf('examples')) {
  const report = (problem) => problems.push(`examples/${place.name}: ${problem}`);
  const manifest = readManifest(place.folder);
  if (manifest.private !== true) report('package.json must say "private": true');
  for (const file of ['main.ts', 'example.test.ts', 'dist/main.js'])
    if (!existsSync(join(place.folder, file))) report(`${file} is missing`);
  const lines = existsSync(join(place.folder, 'main.ts'))
    ? readFileSync(join(place.folder, 'main.ts'), 'utf8').split('\n').length - 1
    : 0;
  if (lines > 60) report(`main.ts has ${lines} lines; an example has at most 60`);
  checkReadme(place.folder, '# ', report);
  checkTsconfig(place, report);
}

for (const [file, text] of Object.entries(umbrellaSources())) {
  const path = join(umbrella, 'src', file);
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text)
    problems.push(`${relative(root, path)} is out of date; ${mend}`);
}
if (readFileSync(join(root, 'docs', 'package.json'), 'utf8') !== printJson(docsManifest()))
  problems.push(`docs/package.json does not list all packages; ${mend}`);
if (tableIn(readFileSync(join(root, 'README.md'), 'utf8'), 'packages') !== packageTable())
  problems.push('README.md: the table of packages is out of date; run `node tools/write-tables.mjs`');

for (const problem of problems) console.error(problem);
console.log(
  `packages: ${foldersOf('packages').length} packages and ${foldersOf('examples').length} examples, ${problems.length} problems`,
);
process.exit(problems.length ? 1 : 0);

function checkReadme(folder, title, report) {
  const file = join(folder, 'README.md');
  if (!existsSync(file)) return report('README.md is missing');
  const text = readFileSync(file, 'utf8');
  if (!text.startsWith(title)) report(`README.md must begin with '${title}'`);
  if (!/^```(ts|sh)\n/m.test(text)) report('README.md has no example: a block ```ts or ```sh');
}

function checkTsconfig(place, report) {
  const file = join(place.folder, 'tsconfig.json');
  if (!existsSync(file) || readFileSync(file, 'utf8') !== printJson(tsconfigOf(place)))
    report(`tsconfig.json does not follow from package.json; ${mend}`);
}

function checkSources(folder, manifest, report) {
  const tests = [...sources(join(folder, 'src'))].filter((file) => file.endsWith('.test.ts'));
  if (tests.length === 0) report('src has no *.test.ts');
  for (const file of tests) {
    const text = readFileSync(file, 'utf8');
    const lines = text.split('\n').length - 1;
    if (lines > 300) report(`${relative(root, file)} has ${lines} lines; a test file has at most 300`);
    if (/\.(skip|only|todo)\(/.test(text)) report(`${relative(root, file)} skips or singles out tests`);
  }
  const used = workspaceImports(folder, manifest.name);
  const peers = manifest.peerDependencies ?? {};
  const run = { ...manifest.dependencies, ...peers };
  // A peer is a development dependency too, so that the tests find it.
  const development = Object.fromEntries(
    Object.entries(manifest.devDependencies ?? {}).filter(([name]) => !(name in peers)),
  );
  const unused = (listed, imported) =>
    Object.keys(listed).filter((name) => name.startsWith('@weft/') && !imported.has(name));
  for (const name of used.run)
    if (!(name in run)) report(`imports ${name} without listing it in dependencies`);
  for (const name of used.test)
    if (!(name in run) && !(name in development)) report(`tests import ${name} without listing it`);
  for (const name of unused(run, used.run))
    report(`lists ${name} in dependencies without importing it; \`node tools/package.mjs --prune\``);
  for (const name of unused(development, used.test))
    report(`lists ${name} in devDependencies without need; \`node tools/package.mjs --prune\``);
}
