// Writes the tables of README files that follow from the code: `node tools/write-tables.mjs`. A table stands between
// `<!-- table: NAME -->` and `<!-- end of table -->`. Build first. It verifies all fixtures and stores the
// results; `--quick` takes the stored ones.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { foldersOf, publishedName, readManifest, root } from './manifest.mjs';
import { counter, pages, readResults, storeResults, table } from './model-pages.mjs';

/** Packages in the order in which one reads them. */
const order =
  'weft errors graph spec nn encoder connector positions fusion codec backbone processors models onnx autodiff weights quantize image jinja text feeds runtime train tiny cli testing';

/** The table of all packages with their descriptions. */
export function packageTable() {
  const rank = (name) => order.split(' ').indexOf(name.split('-')[0]);
  const rows = foldersOf('packages')
    .toSorted((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1))
    .map(
      ({ name, folder }) =>
        `| [\`${publishedName(name)}\`](packages/${name}) | ${readManifest(folder).description} |`,
    );
  return ['| Package | What it is |', '| --- | --- |', ...rows].join('\n');
}

/** Text of a table in a page, empty if nothing is written yet; `undefined` if the page has no such table. */
export const tableIn = (text, name) =>
  new RegExp(`<!-- table: ${name} -->\n([^]*?)<!-- end of table -->`).exec(text)?.[1].trim();

function write(page, name, table) {
  const path = join(root, page);
  const text = readFileSync(path, 'utf8');
  if (tableIn(text, name) === undefined) throw new Error(`${page} has no table '${name}'.`);
  const [start, end] = [`<!-- table: ${name} -->`, '<!-- end of table -->'];
  const at = text.indexOf(start) + start.length;
  writeFileSync(path, `${text.slice(0, at)}\n\n${table}\n\n${text.slice(text.indexOf(end, at))}`);
}

/** Every model that has fixtures: its parts, and how far it is from the reference. */
function modelTable() {
  const models = new Map();
  for (const { recipe, modelType, differences, ...parts } of Object.values(readResults())) {
    const known = models.get(recipe) ?? {
      types: new Set(),
      fixtures: 0,
      logits: 0,
      cached: 0,
      encoder: new Set(),
      connector: new Set(),
      backbone: new Set(),
    };
    if (modelType) known.types.add(`\`${modelType}\``);
    known.fixtures++;
    known.logits = Math.max(known.logits, differences['logits'] ?? 0);
    known.cached = Math.max(known.cached, differences['logits-cached'] ?? 0);
    for (const part of ['encoder', 'connector', 'backbone'])
      if (parts[part]) known[part].add(parts[part].slice(part.length + 1));
    models.set(recipe, known);
  }
  const rows = [...models]
    .toSorted(([a, x], [b, y]) => y.encoder.size - x.encoder.size || (a < b ? -1 : 1))
    .map(([name, { types, fixtures, logits, cached, ...parts }]) => {
      const made = ['encoder', 'connector', 'backbone'].flatMap((part) =>
        parts[part].size > 0 ? [[...parts[part]].sort().join(' or ')] : [],
      );
      return `| ${name} | ${[...types].join(', ')} | ${made.join(' → ')} | ${fixtures} | ${logits.toExponential(1)} | ${cached.toExponential(1)} |`;
    });
  return [
    '| Model | `model_type` | Made of | Fixtures | Logits | With cache |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

/** Columns of a part's sizes, of those that its configuration has. */
const columns = {
  Layers: (c) => c.numHiddenLayers,
  Width: (c) => c.hiddenSize,
  Heads: (c) =>
    c.numKeyValueHeads && c.numKeyValueHeads !== c.numAttentionHeads
      ? `${c.numAttentionHeads} (${c.numKeyValueHeads} for keys)`
      : c.numAttentionHeads,
  Input: (c) => c.imageSize,
  Patches: (c) =>
    c.imageSize && c.patchSize
      ? `${Math.floor(c.imageSize / c.patchSize)} × ${Math.floor(c.imageSize / c.patchSize)}`
      : undefined,
  Vocabulary: (c) =>
    c.vocabSize && `${c.vocabSize.toLocaleString('en-US')}${c.tieWordEmbeddings ? ', tied' : ''}`,
};

/**
 * Published sizes of a part: exported as `clipPresets` beside the factory `clip`.
 *
 * @throws if there are none, or the factory takes no name of one
 */
async function partTable(name) {
  const count = await counter();
  const exports = await import(`../packages/${name}/dist/index.js`);
  const { isModule } = await import('../packages/graph/dist/index.js');
  const sizes = Object.keys(exports)
    .filter((key) => key.endsWith('Presets'))
    .flatMap((key) =>
      Object.entries(exports[key]).map(([preset, config]) => ({
        preset,
        config,
        part: exports[key.slice(0, -'Presets'.length)]?.(preset),
      })),
    );
  if (sizes.length === 0) throw new Error(`${name} has a table of presets, but exports none.`);
  const present = Object.entries(columns).filter(([, read]) =>
    sizes.every(({ config }) => read(config) !== undefined),
  );
  const header = ['Preset', ...present.map(([title]) => title), 'Parameters'];
  const rows = sizes.map(({ preset, config, part }) => [
    `\`${preset}\``,
    ...present.map(([, read]) => read(config)),
    counted(name, preset, isModule(part) ? count(part) : undefined),
  ]);
  return table(header, rows);
}

/** A count of parameters, as text. @throws if it is none: the factory does not take the name of a preset */
function counted(name, preset, count) {
  if (/^\d[\d,]*$/.test(count ?? '')) return count;
  throw new Error(
    `${name}: the factory makes no part of the preset '${preset}'. It is exported beside its presets (clip, clipPresets) and takes the name of one.`,
  );
}

/** Published sizes of models with vision. */
async function presetTable() {
  const count = await counter();
  const { presetModel, presetNames } = await import('../packages/models/dist/index.js');
  const { part } = await import('../packages/spec/dist/index.js');
  const models = await Promise.all(presetNames().map(async (name) => [name, await presetModel(name)]));
  const rows = models.flatMap(([name, model]) => {
    if (model.senses.length === 0) return [];
    const parts = ['encoder', 'connector', 'backbone'].map((key) => part(model, key));
    return [`| \`${name}\` | ${[...parts, model.module].map(count).join(' | ')} |`];
  });
  return [
    '| Preset | Encoder | Connector | Backbone | Parameters |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  write('README.md', 'packages', packageTable());
  if (!process.argv.includes('--quick')) await storeResults();
  write('README.md', 'models', modelTable());
  write('packages/models/README.md', 'presets', await presetTable());
  const { generationTable } = await import('../packages/runtime/dist/generation-fields.js');
  write('packages/runtime/README.md', 'generation', generationTable());
  for (const { name, folder } of foldersOf('packages')) {
    const page = join(folder, 'README.md');
    const hasTable =
      /^(encoder|backbone|codec)-/.test(name) &&
      existsSync(page) &&
      tableIn(readFileSync(page, 'utf8'), 'presets') !== undefined;
    if (hasTable) write(`packages/${name}/README.md`, 'presets', await partTable(name));
  }
  for (const { path, wanted } of await pages()) writeFileSync(path, wanted);
}
