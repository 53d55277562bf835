// What every package has in common: fields of its manifest and its tsconfig.json. Read by the generator and the check.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { layerOf } from './layers.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));
const repository = 'https://github.com/weft-ai/weft';

/** Keywords by the first word of a package's name; other packages have the common ones only. */
const kinds = {
  encoder: 'vision-encoder',
  connector: 'connector',
  backbone: 'language-model',
  fusion: 'multimodal-fusion',
  positions: 'position-ids',
  codec: 'image-tokenizer',
};

/** Folders with a manifest below `packages` or `examples`, by name. */
export function foldersOf(kind) {
  const parent = join(root, kind);
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .sort()
    .filter((name) => existsSync(join(parent, name, 'package.json')))
    .map((name) => ({ kind, name, folder: join(parent, name) }));
}

/** The name on npm of the package of a folder: in our scope, but for the one that brings all others. */
export const publishedName = (name) => (isUmbrella(name) ? name : `@weft/${name}`);

/** Folder of the package that brings all others. */
export const umbrella = join(root, 'packages', 'weft-vlm');

const isUmbrella = (name) => layerOf(name)?.name === 'umbrella';

/** Packages that the umbrella brings: all but itself and the kit for tests. */
export const umbrellaBrings = () =>
  foldersOf('packages')
    .map(({ name }) => name)
    .filter((name) => !['umbrella', 'testing'].includes(layerOf(name)?.name));

/** Whether a package holds parts, which the catalog of packages/models imports by name. */
export const isPartPackage = (name) => layerOf(name)?.name === 'part';

export const readManifest = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
export const printJson = (value) => `${JSON.stringify(value, null, 2)}\n`;

/** The manifest of a package with the common fields set, in one order. Description, dependencies and extras stay. */
export function withCommonFields(given, name) {
  const manifest =
    name === 'models' ? withPartsAsPeers(given) : isUmbrella(name) ? withAllPackages(given) : given;
  const { description = '', version = '0.0.0', files = [], exports, scripts, ...rest } = manifest;
  const [kind, ...family] = name.split('-');
  const own = kind in kinds ? [kinds[kind], family.join('-')] : [name];
  return {
    name: publishedName(name),
    version,
    description,
    keywords: ['weft', 'vision-language-model', 'multimodal', 'onnx', 'safetensors', ...own],
    homepage: `${repository}/tree/main/packages/${name}#readme`,
    bugs: `${repository}/issues`,
    repository: { type: 'git', url: `git+${repository}.git`, directory: `packages/${name}` },
    license: 'Apache-2.0',
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20.19' },
    files: [
      ...new Set([
        'dist',
        '!dist/.tsbuildinfo',
        ...files.filter((file) => file !== 'README.md'),
        'README.md',
      ]),
    ],
    exports: {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      ...(isUmbrella(name) ? umbrellaExports() : exports),
      ...(name === 'models' ? recipeExports() : {}),
    },
    ...backends(name),
    ...omit(rest, [...common, ...dependencyKinds, 'imports']),
    scripts: { ...scripts, build: 'tsc --build' },
    ...sortedDependencies(manifest),
  };
}

/**
 * The manifest of packages/models with all packages of parts as optional peers: whoever installs it names the parts that
 * they use. Within this repository they are there for its tests.
 */
function withPartsAsPeers(manifest) {
  const parts = foldersOf('packages')
    .map(({ name }) => name)
    .filter(isPartPackage)
    .map((name) => `@weft/${name}`);
  const others = (dependencies) =>
    Object.fromEntries(
      Object.entries(dependencies ?? {}).filter(([name]) => !isPartPackage(name.slice('@weft/'.length))),
    );
  const workspace = Object.fromEntries(parts.map((name) => [name, 'workspace:*']));
  return {
    ...manifest,
    dependencies: others(manifest.dependencies),
    peerDependencies: { ...others(manifest.peerDependencies), ...workspace },
    peerDependenciesMeta: {
      ...others(manifest.peerDependenciesMeta),
      ...Object.fromEntries(parts.map((name) => [name, { optional: true }])),
    },
    devDependencies: { ...others(manifest.devDependencies), ...workspace },
  };
}

/** The manifest of the umbrella with what it brings, and what it needs of others. */
function withAllPackages(manifest) {
  const others = Object.entries(manifest.dependencies ?? {}).filter(([name]) => !name.startsWith('@weft/'));
  const own = umbrellaBrings().map((name) => [publishedName(name), 'workspace:*']);
  return { ...manifest, dependencies: Object.fromEntries([...own, ...others]) };
}

/** Files of the umbrella that re-export others, by name: all parts in one, every other package in one of its own. */
export function umbrellaSources() {
  const written = '// Written by tools/package.mjs: do not edit.\n';
  const all = (names) => names.map((name) => `export * from '${publishedName(name)}';\n`).join('');
  const isPart = (name) => isPartPackage(name) || name === 'processors';
  const names = umbrellaBrings();
  return {
    'parts.ts': written + all(names.filter(isPart)),
    ...Object.fromEntries(
      names.filter((name) => !isPart(name)).map((name) => [`${name}.ts`, written + all([name])]),
    ),
  };
}

const umbrellaExports = () =>
  Object.fromEntries(
    Object.keys(umbrellaSources())
      .map((file) => file.replace(/\.ts$/, ''))
      .sort()
      .map((name) => [`./${name}`, { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }]),
  );

/** Each recipe has a path of its own, such as `@weft/models/llava`. */
function recipeExports() {
  const folder = join(root, 'packages', 'models', 'src', 'recipes');
  const names = readdirSync(folder)
    .filter((file) => / \w+: RecipeDefinition = \{/.test(readFileSync(join(folder, file), 'utf8')))
    .map((file) => file.replace(/\.ts$/, ''));
  const built = (name, type) => `./dist/recipes/${name}.${type}`;
  return Object.fromEntries(
    names.sort().map((name) => [`./${name}`, { types: built(name, 'd.ts'), default: built(name, 'js') }]),
  );
}

/** What depends on the machine: bundlers for browsers take the one folder, Node the other. */
function backends(name) {
  if (!existsSync(join(root, 'packages', name, 'src', 'backend'))) return {};
  const built = (folder, type) => `./dist/backend/${folder}/index.${type}`;
  return {
    imports: {
      '#backend': {
        types: built('node', 'd.ts'),
        browser: built('web', 'js'),
        default: built('node', 'js'),
      },
    },
  };
}

const common = [
  'name',
  'keywords',
  'homepage',
  'bugs',
  'repository',
  'license',
  'type',
  'sideEffects',
  'engines',
];
const dependencyKinds = ['dependencies', 'peerDependencies', 'peerDependenciesMeta', 'devDependencies'];

const omit = (record, keys) =>
  Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)));

function sortedDependencies(manifest) {
  const result = {};
  for (const kind of dependencyKinds) {
    const entries = Object.entries(manifest[kind] ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    if (entries.length > 0) result[kind] = Object.fromEntries(entries);
  }
  return result;
}

/** The manifest of the documentation, whose blocks of code may import every package. */
export function docsManifest() {
  const manifest = readManifest(join(root, 'docs'));
  const packages = Object.fromEntries(
    foldersOf('packages').map(({ name }) => [publishedName(name), 'workspace:*']),
  );
  const others = Object.entries(manifest.dependencies).filter(
    ([name]) => !name.startsWith('@weft/') && !(name in packages),
  );
  return { ...manifest, dependencies: { ...packages, ...Object.fromEntries(others) } };
}

/** The tsconfig.json of a package or an example: sources, and references to what it depends on. */
export function tsconfigOf({ kind, folder }) {
  const { dependencies, peerDependencies } = readManifest(folder);
  const places = new Map([
    ...foldersOf('packages').map(({ name }) => [publishedName(name), `../../packages/${name}`]),
    ...foldersOf('examples').map(({ name }) => [`weft-example-${name}`, `../../examples/${name}`]),
  ]);
  const references = Object.keys({ ...dependencies, ...peerDependencies })
    .sort()
    .flatMap((dependency) => (places.has(dependency) ? [{ path: places.get(dependency) }] : []));
  const sources =
    kind === 'packages'
      ? { rootDir: 'src', include: ['src'], exclude: ['src/**/*.test.ts'] }
      : { rootDir: '.', include: ['main.ts'], exclude: [] };
  return {
    extends: '../../tsconfig.base.json',
    compilerOptions: { rootDir: sources.rootDir, outDir: 'dist', tsBuildInfoFile: 'dist/.tsbuildinfo' },
    include: sources.include,
    exclude: sources.exclude,
    references,
  };
}
