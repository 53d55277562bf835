// Writes packages/models/src/catalog.ts and recipe-catalog.ts: all definitions of the built packages of parts, and all
// recipes, to be imported by name.
// `--check` fails when a file is out of date. Build first.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { foldersOf, isPartPackage, root } from './manifest.mjs';

const models = join(root, 'packages', 'models');
const files = {
  'catalog.ts': render(await findDefinitions()),
  'recipe-catalog.ts': renderRecipes(await findRecipes()),
};

let isOld = false;
for (const [name, text] of Object.entries(files)) {
  const file = join(models, 'src', name);
  const isSame = existsSync(file) && readFileSync(file, 'utf8') === text;
  if (process.argv.includes('--check')) {
    console[isSame ? 'log' : 'error'](
      isSame
        ? `${name}: ${text.match(/^ {4}load: /gm).length} definitions`
        : `packages/models/src/${name} is out of date; build, then run \`node tools/catalog.mjs\``,
    );
    isOld ||= !isSame;
  } else if (!isSame) writeFileSync(file, text);
}
if (isOld) process.exit(1);

/** Definitions of recipes with the packages of parts that each imports at once, by name. */
async function findRecipes() {
  const folder = join(models, 'src', 'recipes');
  const found = [];
  for (const source of readdirSync(folder).sort()) {
    if (!source.endsWith('.ts') || source.endsWith('.test.ts')) continue;
    const module = source.replace(/\.ts$/, '.js');
    const built = join(models, 'dist', 'recipes', module);
    if (!existsSync(built)) throw new Error(`packages/models is not built: there is no ${built}`);
    const exported = Object.entries(await import(pathToFileURL(built).href));
    for (const [key, recipe] of exported.filter(([, value]) => isRecipe(value))) {
      if (recipe.name !== source.replace(/\.ts$/, ''))
        throw new Error(`packages/models/src/recipes/${source} defines the recipe '${recipe.name}'`);
      found.push({ recipe, key, module, packages: packagesOf(join(folder, source)) });
    }
  }
  return found;
}

/** Packages of parts that a file imports, itself or by files beside it; types are not imported. */
function packagesOf(file, seen = new Set()) {
  if (seen.has(file)) return [];
  seen.add(file);
  const found = new Set();
  for (const [, clause, from] of readFileSync(file, 'utf8').matchAll(
    /^import ((?:type )?\{[^}]*\}) from '([^']+)';$/gm,
  )) {
    if (clause.startsWith('type ')) continue;
    if (from.startsWith('@weft/') && isPartPackage(from.slice('@weft/'.length))) found.add(from);
    if (from.startsWith('./'))
      for (const name of packagesOf(join(dirname(file), from.replace(/\.js$/, '.ts')), seen)) found.add(name);
  }
  return [...found].sort();
}

function isRecipe(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof value.name === 'string' &&
    Array.isArray(value.types) &&
    typeof value.read === 'function'
  );
}

function renderRecipes(found) {
  const entries = found.map(({ recipe: { name, types, presets }, key, module, packages }) =>
    [
      '  {',
      `    name: ${quote(name)},`,
      `    types: ${list(types)},`,
      `    presets: ${list(Object.keys(presets))},`,
      `    packages: ${list(packages)},`,
      `    load: () => import('./recipes/${module}').then((m) => m.${key}),`,
      '  },',
    ].join('\n'),
  );
  return `// Written by tools/catalog.mjs from the recipes in packages/models/src/recipes: do not edit.
import type { RecipeEntry } from './recipe.js';

/** All recipes by name; one is imported when a \`config.json\` or a published size asks for it. */
export const recipeCatalog: readonly RecipeEntry[] = [
${entries.join('\n')}
];
`;
}

/** `{ definition, package, name }` of each, sorted by id. */
async function findDefinitions() {
  const found = [];
  for (const { name, folder } of foldersOf('packages')) {
    if (!isPartPackage(name) && name !== 'processors') continue;
    const built = join(folder, 'dist', 'index.js');
    if (!existsSync(built))
      throw new Error(`packages/${name} is not built; run \`npx tsc --build packages/${name}\``);
    const own = Object.entries(await import(pathToFileURL(built).href)).filter(([, value]) =>
      isDefinition(value),
    );
    if (own.length === 0 && isPartPackage(name))
      throw new Error(`packages/${name} exports no PartDefinition`);
    for (const [key, definition] of own) found.push({ definition, package: `@weft/${name}`, name: key });
  }
  found.sort((a, b) => (a.definition.id < b.definition.id ? -1 : 1));
  for (const [i, { definition, package: home }] of found.entries())
    if (definition.id === found[i + 1]?.definition.id)
      throw new Error(`${home} and ${found[i + 1].package} both define '${definition.id}'`);
  return found;
}

/** What `PartDefinition` of packages/spec demands. */
function isDefinition(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof value.id === 'string' &&
    typeof value.kind === 'string' &&
    typeof value.create === 'function' &&
    typeof value.presets === 'object' &&
    typeof value.source === 'object'
  );
}

function render(found) {
  const entries = found.map(({ definition, package: home, name }) => {
    const { id, kind, types = [], presets } = definition;
    return [
      '  {',
      `    id: ${quote(id)},`,
      `    kind: ${quote(kind)},`,
      `    package: ${quote(home)},`,
      `    types: ${list(types)},`,
      `    presets: ${list(Object.keys(presets))},`,
      `    load: () => import(${quote(home)}).then((m) => m.${name}),`,
      '  },',
    ].join('\n');
  });
  return `// Written by tools/catalog.mjs from the definitions that the packages of parts export: do not edit.
import type { PartEntry } from '@weft/spec';

/** All parts of this repository by id; a package is imported when its part is asked for. */
export const catalog: readonly PartEntry[] = [
${entries.join('\n')}
];
`;
}

/** Names one to a line where one line is too long, as oxfmt has them. */
function list(names) {
  const line = `[${names.map(quote).join(', ')}]`;
  if (line.length <= 90) return line;
  return `[\n${names.map((name) => `      ${quote(name)},\n`).join('')}    ]`;
}

function quote(text) {
  return `'${text}'`;
}
