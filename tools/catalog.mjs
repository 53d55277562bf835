// Writes packages/models/src/catalog.ts: all definitions that the built packages of parts export, to be imported by name.
// `--check` fails when the file is out of date. Build first.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { foldersOf, isPartPackage, root } from './manifest.mjs';

const file = join(root, 'packages', 'models', 'src', 'catalog.ts');
const text = render(await findDefinitions());

if (process.argv.includes('--check')) {
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    console.error('packages/models/src/catalog.ts is out of date; build, then run `node tools/catalog.mjs`');
    process.exit(1);
  }
  console.log(`catalog: ${text.match(/^ {4}id: /gm).length} definitions`);
} else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);

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
