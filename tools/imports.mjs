// What source files import, read from their text.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

/** All TypeScript files below a folder. */
export function* sources(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

/** Specifiers of imports and re-exports, in the order of their forms. */
export function* imports(source) {
  // Sources within templates are those of other packages, which tests write.
  const text = source.replace(/`(?:\\[^]|[^`\\])*`/g, '``');
  for (const match of text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/g))
    yield match[1];
  for (const match of text.matchAll(/(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g)) yield match[1];
  for (const match of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)) yield match[1];
}

/** The package of a specifier: `@weft/graph` of `@weft/graph/x`; `undefined` for files, `#backend`, and modules of Node. */
export function packageOf(specifier) {
  if (/^(\.|#|node:)/.test(specifier)) return undefined;
  return specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : specifier.split('/')[0];
}

/** Whether a file of a package is for tests only, by its path below the package. */
export const isTestFile = (path) => /\.test\.ts$|\/__fixtures__\/|^test\//.test(path);

/** Workspace packages that a package's sources import, and those that only its tests import. */
export function workspaceImports(folder, ownName) {
  const used = { run: new Set(), test: new Set() };
  for (const file of [...sources(join(folder, 'src')), ...sources(join(folder, 'test'))])
    for (const specifier of imports(readFileSync(file, 'utf8'))) {
      const target = packageOf(specifier);
      if (target?.startsWith('@weft/') && target !== ownName)
        used[isTestFile(relative(folder, file)) ? 'test' : 'run'].add(target);
    }
  for (const name of used.run) used.test.delete(name);
  return used;
}
