// Fails when a package or an example is not built like all others. Build first: it looks for the files of `exports`.
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { imports, isTestFile, packageOf, sources } from './imports.mjs';
import { foldersOf, printJson, readManifest, root, tsconfigOf, withCommonFields } from './manifest.mjs';

const problems = [];
const mend = 'run `node tools/package.mjs`';

for (const place of foldersOf('packages')) {
  const { name, folder } = place;
  const report = (problem) => problems.push(`packages/${name}: ${problem}`);
  const manifest = readManifest(folder);
  const text = readFileSync(join(folder, 'package.json'), 'utf8');
  if (text !== printJson(withCommonFields(manifest, name))) report(`package.json has other common fields or another order; ${mend}`);
  if (!/^[A-Z].{20,160}\.$/.test(manifest.description)) report('the description must be one sentence of 20 to 160 characters');
  if (manifest.sideEffects !== false) report('package.json must say "sideEffects": false');
  for (const file of [...Object.values(manifest.exports['.']), ...Object.values(manifest.bin ?? {})])
    if (!existsSync(join(folder, file))) report(`${file} is not built`);
  checkReadme(folder, `# @weft/${name}`, report);
  checkTsconfig(place, report);
  checkSources(folder, manifest, report);
}

for (const place of foldersOf('examples')) {
  const report = (problem) => problems.push(`examples/${place.name}: ${problem}`);
  const manifest = readManifest(place.folder);
  if (manifest.private !== true) report('package.json must say "private": true');
  for (const file of ['main.ts', 'example.test.ts', 'dist/main.js'])
    if (!existsSync(join(place.folder, file))) report(`${file} is missing`);
  const lines = existsSync(join(place.folder, 'main.ts')) ? readFileSync(join(place.folder, 'main.ts'), 'utf8').split('\n').length - 1 : 0;
  if (lines > 60) report(`main.ts has ${lines} lines; an example has at most 60`);
  checkReadme(place.folder, '# ', report);
  checkTsconfig(place, report);
}

for (const problem of problems) console.error(problem);
console.log(`packages: ${foldersOf('packages').length} packages and ${foldersOf('examples').length} examples, ${problems.length} problems`);
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
  const used = { run: new Set(), test: new Set() };
  let tests = 0;
  for (const file of [...sources(join(folder, 'src')), ...sources(join(folder, 'test'))]) {
    const text = readFileSync(file, 'utf8');
    if (file.endsWith('.test.ts')) {
      tests++;
      const where = relative(root, file);
      const lines = text.split('\n').length - 1;
      if (lines > 300) report(`${where} has ${lines} lines; a test file has at most 300`);
      if (/\.(skip|only|todo)\(/.test(text)) report(`${where} skips or singles out tests`);
    }
    for (const specifier of imports(text)) {
      const target = packageOf(specifier);
      if (target?.startsWith('@weft/') && target !== manifest.name) used[isTestFile(relative(folder, file)) ? 'test' : 'run'].add(target);
    }
  }
  if (tests === 0) report('src has no *.test.ts');
  const [run, development] = [manifest.dependencies ?? {}, manifest.devDependencies ?? {}];
  for (const name of used.run) if (!(name in run)) report(`imports ${name} without listing it in dependencies`);
  for (const name of used.test) if (!(name in run) && !(name in development)) report(`tests import ${name} without listing it`);
  for (const name of Object.keys(run))
    if (name.startsWith('@weft/') && !used.run.has(name)) report(`lists ${name} in dependencies without importing it`);
  for (const name of Object.keys(development))
    if (name.startsWith('@weft/') && !used.test.has(name)) report(`lists ${name} in devDependencies without importing it`);
}
