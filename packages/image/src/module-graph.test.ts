import { readFileSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';

const sourceFolder = new URL('./', import.meta.url);
const read = (file: string) => readFileSync(new URL(file, sourceFolder), 'utf8');
const files = readdirSync(sourceFolder).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));

/** Modules that a file loads as soon as it is imported; type imports vanish in the build. */
const staticImports = (file: string): string[] =>
  [...read(file).matchAll(/^(?:import|export)\s(?!type\s)[^;]*?from '([^']+)'/gm)].map((found) => found[1]!);

/** All modules reached from a file by static imports. */
function reached(file: string, seen = new Set<string>()): Set<string> {
  for (const name of staticImports(file)) {
    if (seen.has(name)) continue;
    seen.add(name);
    if (name.startsWith('./')) reached(name.slice(2).replace(/\.js$/, '.ts'), seen);
  }
  return seen;
}

it('loads neither sharp nor a module of Node when the package is imported', () => {
  const outside = [...reached('index.ts')].filter((name) => !name.startsWith('./'));
  expect(outside).toEqual(['@weft/errors']);
});

it('names sharp as a value in load-sharp.ts only, and there in a dynamic import', () => {
  const users = files.filter((file) =>
    /(?:import\(|require\(|^import (?!type)[^;]*from )\s*'sharp'/m.test(read(file)),
  );
  expect(users).toEqual(['load-sharp.ts']);
  expect(read('load-sharp.ts')).toContain("await import('sharp')");
});

it.each(['resize.ts', 'geometry.ts', 'normalize.ts', 'round.ts', 'raster.ts'])(
  'keeps %s apart from files and sharp',
  (file) => {
    for (const name of reached(file)) expect(['@weft/errors', './raster.js']).toContain(name);
  },
);
