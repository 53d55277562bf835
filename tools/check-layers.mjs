// Fails when an import goes upward or sideways in the table of layers, or names a package that the manifest does not.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { layerOf, mayImport, testOnly } from './layers.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const problems = [];
let files = 0;

for (const name of readdirSync(join(root, 'packages')).sort()) {
  const folder = join(root, 'packages', name);
  if (!existsSync(join(folder, 'package.json'))) continue;
  if (!layerOf(name)) problems.push(`packages/${name}: no rule in tools/layers.mjs names this package`);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const runTime = { ...manifest.dependencies, ...manifest.peerDependencies };
  const tests = { ...runTime, ...manifest.devDependencies };
  for (const file of sources(join(folder, 'src'))) {
    files++;
    const isTest = /\.test\.ts$|\/__fixtures__\/|\/testing\//.test(file);
    for (const specifier of imports(readFileSync(file, 'utf8'))) {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) continue;
      const target = specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : specifier.split('/')[0];
      const where = relative(root, file);
      if (target.startsWith('@weft/')) {
        const to = target.slice('@weft/'.length);
        if (to !== name && !mayImport(name, to) && !(isTest && (testOnly.includes(to) || layerOf(name)?.name === 'testing')))
          problems.push(`${where}: ${name} (${layerOf(name)?.name}) must not import ${to} (${layerOf(to)?.name})`);
      }
      if (!(target in (isTest ? tests : runTime)) && !(isTest && ['vitest', 'onnxruntime-node'].includes(target)))
        problems.push(`${where}: imports ${target}, which packages/${name}/package.json does not list`);
    }
  }
}

for (const problem of problems) console.error(problem);
console.log(`layers: ${files} files, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);

function* sources(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

function* imports(text) {
  for (const match of text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/g)) yield match[1];
  for (const match of text.matchAll(/(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g)) yield match[1];
  for (const match of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)) yield match[1];
}
