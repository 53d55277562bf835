// Writes what every package has in common. `node tools/package.mjs NAME [DEPENDENCY...]` makes a new package or adds
// workspace dependencies; with no argument it rewrites every tsconfig.json from the manifests.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mayImport, testOnly } from './layers.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [name, ...added] = process.argv.slice(2);

if (name) {
  const folder = join(root, 'packages', name);
  mkdirSync(join(folder, 'src'), { recursive: true });
  const file = join(folder, 'package.json');
  const manifest = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : {
        name: `@weft/${name}`,
        version: '0.0.0',
        description: '',
        license: 'Apache-2.0',
        type: 'module',
        sideEffects: false,
        engines: { node: '>=20.19' },
        files: ['dist', 'README.md'],
        exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
        scripts: { build: 'tsc --build' },
      };
  for (const dependency of added) {
    if (!mayImport(name, dependency) && !testOnly.includes(dependency))
      throw new Error(`${name} must not depend on ${dependency} (tools/layers.mjs)`);
    const kind = mayImport(name, dependency) ? 'dependencies' : 'devDependencies';
    manifest[kind] = { ...manifest[kind], [`@weft/${dependency}`]: 'workspace:*' };
  }
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
  if (!existsSync(join(folder, 'src', 'index.ts'))) writeFileSync(join(folder, 'src', 'index.ts'), 'export {};\n');
}

for (const kind of ['packages', 'examples'])
  for (const package_ of existsSync(join(root, kind)) ? readdirSync(join(root, kind)) : []) {
    const folder = join(root, kind, package_);
    if (!existsSync(join(folder, 'package.json'))) continue;
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const references = Object.keys({ ...manifest.dependencies })
      .filter((dependency) => dependency.startsWith('@weft/'))
      .map((dependency) => ({ path: `../../packages/${dependency.slice('@weft/'.length)}` }));
    const config = {
      extends: '../../tsconfig.base.json',
      compilerOptions: { rootDir: 'src', outDir: 'dist', tsBuildInfoFile: 'dist/.tsbuildinfo' },
      include: ['src'],
      exclude: ['src/**/*.test.ts'],
      references,
    };
    if (existsSync(join(folder, 'src'))) writeFileSync(join(folder, 'tsconfig.json'), `${JSON.stringify(config, null, 2)}\n`);
  }
