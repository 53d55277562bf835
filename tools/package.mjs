// Writes what every package has in common. `node tools/package.mjs NAME [DEPENDENCY...]` makes a new package or adds
// workspace dependencies, `--prune [NAME...]` takes unused ones out. Every call rewrites the common fields of all
// manifests, every tsconfig.json, and what the umbrella package re-exports. Install afterwards.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceImports } from './imports.mjs';
import { mayImport, testOnly } from './layers.mjs';
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

const [name, ...added] = process.argv.slice(2);

if (name === '--prune') {
  for (const { name, folder } of foldersOf('packages'))
    if (added.length === 0 || added.includes(name)) prune(folder);
} else if (name) {
  if (!/^[a-z]+(-[a-z0-9]+)*$/.test(name)) throw new Error(`'${name}' is not a name of a package.`);
  const folder = join(root, 'packages', name);
  mkdirSync(join(folder, 'src'), { recursive: true });
  const manifest = existsSync(join(folder, 'package.json')) ? readManifest(folder) : {};
  for (const dependency of added) {
    if (!mayImport(name, dependency) && !testOnly.includes(dependency))
      throw new Error(`${name} must not depend on ${dependency} (tools/layers.mjs)`);
    const kind = mayImport(name, dependency) ? 'dependencies' : 'devDependencies';
    manifest[kind] = { ...manifest[kind], [publishedName(dependency)]: 'workspace:*' };
  }
  write(join(folder, 'package.json'), withCommonFields(manifest, name));
  if (!existsSync(join(folder, 'src', 'index.ts')))
    writeFileSync(join(folder, 'src', 'index.ts'), 'export {};\n');
}

for (const [file, text] of Object.entries(umbrellaSources())) writeText(join(umbrella, 'src', file), text);
for (const { name, folder } of foldersOf('packages'))
  write(join(folder, 'package.json'), withCommonFields(readManifest(folder), name));
for (const place of [...foldersOf('packages'), ...foldersOf('examples')])
  write(join(place.folder, 'tsconfig.json'), tsconfigOf(place));
write(join(root, 'docs', 'package.json'), docsManifest());

/** Takes workspace dependencies out that no source imports; those of tests go to devDependencies. */
function prune(folder) {
  const manifest = readManifest(folder);
  const used = workspaceImports(folder, manifest.name);
  const own = Object.entries(manifest.dependencies ?? {});
  const development = Object.entries(manifest.devDependencies ?? {});
  const external = ([name]) => !name.startsWith('@weft/');
  manifest.dependencies = Object.fromEntries(
    own.filter((entry) => external(entry) || used.run.has(entry[0])),
  );
  manifest.devDependencies = Object.fromEntries(
    [...own, ...development].filter((entry) =>
      external(entry) ? development.includes(entry) : used.test.has(entry[0]),
    ),
  );
  write(join(folder, 'package.json'), manifest);
}

function write(file, value) {
  writeText(file, printJson(value));
}

/** Leaves a file alone that is as it should be, so that builds stay fresh. */
function writeText(file, text) {
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
}
