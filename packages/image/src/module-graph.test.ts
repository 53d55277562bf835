import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('./', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
);

/** Modules that a file loads as soon as it is imported; type imports vanish in the build. */
const staticImports = (file: string): string[] =>
  [...read(file).matchAll(/^(?:import|export)\s(?!type\s)[^;]*?from '([^']+)'/gm)].map((found) => found[1]!);

/** All modules reached from a file by static imports: those of this package by path, the others by name. */
function reached(file: string, seen = new Set<string>()): Set<string> {
  for (const name of staticImports(file)) {
    const path = name.startsWith('.') ? join(file, '..', name).replace(/\.js$/, '.ts') : name;
    if (seen.has(path)) continue;
    seen.add(path);
    if (name.startsWith('.')) reached(path, seen);
  }
  return seen;
}
const outside = (file: string): string[] => [...reached(file)].filter((name) => !name.endsWith('.ts'));

it('leaves files and decoders to the backend', () => {
  expect(outside('index.ts').toSorted()).toEqual(['#backend', '@weft/errors']);
});

it('needs nothing of Node in a browser', () => {
  expect(outside('backend/web/index.ts')).toEqual(['@weft/errors']);
});

it('loads sharp on first use, in one file', () => {
  const users = files.filter((file) =>
    /(?:import\(|require\(|^import (?!type)[^;]*from )\s*'sharp'/m.test(read(file)),
  );
  expect(users).toEqual(['backend/node/load-sharp.ts']);
  expect(read(users[0]!)).toContain("await import('sharp')");
  expect(outside('backend/node/index.ts').toSorted()).toEqual([
    '@weft/errors',
    'node:fs/promises',
    'node:url',
  ]);
});

it.each(['resize.ts', 'geometry.ts', 'normalize.ts', 'round.ts', 'raster.ts'])(
  'keeps %s apart from files and sharp',
  (file) => {
    const arithmetic = ['raster.ts', 'geometry.ts', 'resample.ts', 'windows.ts'];
    for (const name of reached(file)) expect(['@weft/errors', ...arithmetic]).toContain(name);
  },
);
