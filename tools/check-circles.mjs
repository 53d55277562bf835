// Fails when files of a package import each other in a circle. Imports of types count: a reader follows them too.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { imports, isTestFile, sources } from './imports.mjs';
import { foldersOf, root } from './manifest.mjs';

const targets = new Map();
for (const { folder } of foldersOf('packages'))
  for (const file of sources(join(folder, 'src')))
    if (!isTestFile(relative(folder, file)))
      targets.set(
        file,
        [...imports(readFileSync(file, 'utf8'))].flatMap((name) => fileOf(file, name)),
      );

const circles = circlesOf(targets);
for (const circle of circles)
  console.error(`circle: ${[...circle, circle[0]].map((file) => relative(root, file)).join(' -> ')}`);
if (circles.length > 0)
  console.error('Move what both need, most often a type, to a file of its own that imports neither.');
console.log(`circles: ${targets.size} files, ${circles.length} circles`);
process.exit(circles.length ? 1 : 0);

/** The source file that a relative import names; none for packages and for files of other kinds. */
function fileOf(from, specifier) {
  if (!specifier.startsWith('.')) return [];
  const file = resolve(dirname(from), specifier.replace(/\.js$/, '.ts'));
  return file.endsWith('.ts') && existsSync(file) ? [file] : [];
}

/** One circle for each import that leads back to a file on the way to it. */
function circlesOf(graph) {
  const found = [];
  const done = new Set();
  const visit = (file, way) => {
    if (way.includes(file)) found.push(way.slice(way.indexOf(file)));
    if (done.has(file) || way.includes(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...way, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}
