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

/** Whether a package holds parts, which the catalog of packages/models imports by name. */
export const isPartPackage = (name) => layerOf(name)?.name === 'part';

export const readManifest = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
export const printJson = (value) => `${JSON.stringify(value, null, 2)}\n`;

/** The manifest of a package with the common fields set, in one order. Description, dependencies and extras stay. */
export function withCommonFields(given, name) {
  const manifest = name === 'models' ? withPartsAsPeers(given) : given;
  const { description = '', version = '0.0.0', files = [], exports, scripts, ...rest } = manifest;
  const [kind, ...family] = name.split('-');
  const own = kind in kinds ? [kinds[kind], family.join('-')] : [name];
  return {
    name: `@weft/${name}`,
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
      ...exports,
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
  const packages = foldersOf('packages').map(({ name }) => [`@weft/${name}`, 'workspace:*']);
  const others = Object.entries(manifest.dependencies).filter(([name]) => !name.startsWith('@weft/'));
  return { ...manifest, dependencies: Object.fromEntries([...packages, ...others]) };
}

/** The tsconfig.json of a package or an example: sources, and references to what it depends on. */
export function tsconfigOf({ kind, folder }) {
  const { dependencies, peerDependencies } = readManifest(folder);
  const references = Object.keys({ ...dependencies, ...peerDependencies })
    .sort()
    .flatMap((dependency) => {
      const [, scope, name] = /^(@weft\/|weft-example-)(.+)$/.exec(dependency) ?? [];
      return name ? [{ path: `../../${scope === '@weft/' ? 'packages' : 'examples'}/${name}` }] : [];
    });
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
