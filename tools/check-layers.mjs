// Fails when an import goes upward or sideways in the table of layers, or names a package that the manifest does not.
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { imports, isTestFile, packageOf, sources } from './imports.mjs';
import { layerOf, mayImport, testOnly } from './layers.mjs';
import { foldersOf, readManifest, root } from './manifest.mjs';

const problems = [];
let files = 0;

/** What a browser lacks, or has in another form. */
const isOfMachine = (specifier) => /^(node:|sharp$|onnxruntime-(node|web)$)/.test(specifier);

/** Commands and test kits run in Node only; libraries keep what depends on the machine behind `#backend`. */
const programs = ['cli', 'tiny', 'testing'];
const mayUseMachine = (name, file) => programs.includes(name) || /^src\/backend\/(node|web)\//.test(file);

for (const { name, folder } of foldersOf('packages')) {
  if (!layerOf(name)) problems.push(`packages/${name}: no rule in tools/layers.mjs names this package`);
  const manifest = readManifest(folder);
  const runTime = { ...manifest.dependencies, ...manifest.peerDependencies };
  const tests = { ...runTime, ...manifest.devDependencies };
  for (const file of [...sources(join(folder, 'src')), ...sources(join(folder, 'test'))]) {
    files++;
    const isTest = isTestFile(relative(folder, file));
    const where = relative(root, file);
    for (const specifier of imports(readFileSync(file, 'utf8'))) {
      if (!isTest && isOfMachine(specifier) && !mayUseMachine(name, relative(folder, file)))
        problems.push(`${where}: imports ${specifier} outside of a folder backend/node or backend/web`);
      const target = packageOf(specifier);
      if (target === undefined) continue;
      if (target.startsWith('@weft/')) {
        const to = target.slice('@weft/'.length);
        if (to !== name && !mayImport(name, to) && !(isTest && testOnly.includes(to)))
          problems.push(
            `${where}: ${name} (${layerOf(name)?.name}) must not import ${to} (${layerOf(to)?.name})`,
          );
      }
      if (
        !(target in (isTest ? tests : runTime)) &&
        !(isTest && ['vitest', 'vite', 'onnxruntime-node'].includes(target))
      )
        problems.push(`${where}: imports ${target}, which packages/${name}/package.json does not list`);
    }
  }
}

for (const problem of problems) console.error(problem);
console.log(`layers: ${files} files, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
