// Writes the tables of `docs/models/*.md` that follow from the code and from the stored results of verification:
// `node tools/model-pages.mjs`; with `--check` it only says which are out of date. Build first.
//
// `<!-- table: sizes PRESET… -->` gets parameters, and tokens of pictures; `<!-- table: verified RECIPE… -->` gets the
// fixtures of these recipes. `tools/write-tables.mjs` verifies again and stores the results.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './manifest.mjs';

const folder = join(root, 'docs/models');
const resultsFile = join(root, 'packages/models/verified.json');

/** Pictures whose tokens the pages show: width and height, pixels. */
const pictures = [
  [336, 336],
  [640, 480],
  [1024, 1536],
  [1920, 1080],
];

export const readResults = () => JSON.parse(readFileSync(resultsFile, 'utf8'));

/** Verifies every fixture and stores what came out. @throws if one is not verified */
export async function storeResults() {
  const { load, verify } = await import('../packages/runtime/dist/index.js');
  const { findPart, part } = await import('../packages/spec/dist/index.js');
  const fixtures = join(root, 'packages/models/__fixtures__');
  const results = {};
  for (const name of readdirSync(fixtures).sort()) {
    const { recipe, checks } = await verify(join(fixtures, name));
    const failed = checks.filter(({ ok }) => !ok).map((check) => check.name);
    if (failed.length > 0) throw new Error(`${name} is not verified: ${failed.join(', ')}.`);
    const loaded = await load(join(fixtures, name), { worker: false });
    const { model } = loaded;
    const { fusion, config } = model;
    await loaded.close();
    results[name] = {
      recipe,
      modelType: config.model_type,
      encoder: findPart(model, 'encoder')?.id,
      connector: findPart(model, 'connector')?.id,
      fusion: model.senses.length > 0 ? fusion.id : undefined,
      backbone: part(model, 'backbone').id,
      differences: Object.fromEntries(checks.map((check) => [check.name, check.maxDiff])),
    };
  }
  writeFileSync(resultsFile, `${JSON.stringify(results, null, 2)}\n`);
}

/** A table of a page. */
export const table = (header, rows) =>
  [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** Counts the parameters of a part, as text. */
export async function counter() {
  const { namedParameters } = await import('../packages/graph/dist/index.js');
  return (part) =>
    [...namedParameters(part).values()]
      .reduce((sum, { elements }) => sum + elements, 0)
      .toLocaleString('en-US');
}

async function sizesTable(names) {
  const count = await counter();
  const { presetModel } = await import('../packages/models/dist/index.js');
  const { part, senseOf } = await import('../packages/spec/dist/index.js');
  const tokens = ({ processor, cross }, width, height) => {
    try {
      const placed = processor.place({ width, height });
      return placed.cross
        ? `${placed.tokens} + ${placed.cross.seen * (cross.tokensPerTile + cross.tagTokens)}`
        : String(placed.tokens);
    } catch (error) {
      if (error.code !== 'WEFT_INPUT') throw error;
      return 'refused';
    }
  };
  return table(
    ['Size', 'Parameters', 'Encoder', 'Connector', 'Backbone', ...pictures.map(([w, h]) => `${w} × ${h}`)],
    await Promise.all(
      names.map(async (name) => {
        const model = await presetModel(name);
        const parts = ['encoder', 'connector', 'backbone'].map((key) => count(part(model, key)));
        const places = pictures.map(([w, h]) => tokens(senseOf(model, 'image'), w, h));
        return [`\`${name}\``, count(model.module), ...parts, ...places];
      }),
    ),
  );
}

const difference = (value) => (value === undefined ? '–' : value === 0 ? '0' : value.toExponential(1));

function verifiedTable(recipes, results) {
  const rows = Object.entries(results).filter(([, { recipe }]) => recipes.includes(recipe));
  if (rows.length === 0) throw new Error(`No fixture is verified as ${recipes.join(' or ')}.`);
  return table(
    ['Fixture', 'Image features', 'Logits', 'With cache', 'Pixels', 'Ids and greedy tokens'],
    rows.map(([name, { differences: d }]) => [
      `\`${name}\``,
      ...[d.image_features, d.logits, d['logits-cached']].map(difference),
      d['pixel_values-unequal'] === undefined
        ? '–'
        : d['pixel_values-unequal'] === 0
          ? 'identical'
          : `${difference(d.pixel_values)} apart`,
      d.generated === 0 && (d.input_ids ?? 0) === 0 ? 'equal' : 'differ',
    ]),
  );
}

/** Pages with their tables as they should be. */
export async function pages() {
  const results = readResults();
  const made = [];
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.md'))) {
    const path = join(folder, name);
    const text = readFileSync(path, 'utf8');
    let wanted = text;
    for (const [whole, kind, names] of text.matchAll(
      /<!-- table: (sizes|verified) ([^>]+) -->\n[^]*?<!-- end of table -->/g,
    )) {
      const list = names.split(' ');
      const content = kind === 'sizes' ? await sizesTable(list) : verifiedTable(list, results);
      wanted = wanted.replace(
        whole,
        () => `<!-- table: ${kind} ${names} -->\n\n${content}\n\n<!-- end of table -->`,
      );
    }
    made.push({ name, path, text, wanted });
  }
  return made;
}

/** What is wrong with pages and stored results. */
async function problems() {
  const found = [];
  const results = readResults();
  const fixtures = readdirSync(join(root, 'packages/models/__fixtures__'));
  for (const name of fixtures) if (!results[name]) found.push(`the fixture ${name} has no stored result`);
  for (const name of Object.keys(results))
    if (!fixtures.includes(name)) found.push(`the stored result ${name} has no fixture`);
  const all = await pages();
  const shown = new Set(
    all.flatMap(({ text }) =>
      [...text.matchAll(/table: verified ([^>]+) -->/g)].flatMap((m) => m[1].split(' ')),
    ),
  );
  const sighted = Object.values(results).filter(({ encoder }) => encoder);
  for (const recipe of new Set(sighted.map((result) => result.recipe)))
    if (!shown.has(recipe)) found.push(`no page shows the recipe ${recipe}`);
  const list = all.find(({ name }) => name === 'README.md').text;
  for (const { name } of all.filter((page) => page.name !== 'README.md')) {
    const rows = list.split(`](${name}) |`).length - 1;
    if (rows !== 1) found.push(`docs/models/README.md lists ${name} ${rows} times`);
  }
  for (const { name, text, wanted } of all)
    if (text !== wanted) found.push(`docs/models/${name} is out of date`);
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    const found = await problems();
    for (const problem of found) console.error(problem);
    if (found.length > 0) {
      console.error('Run `node tools/write-tables.mjs`.');
      process.exitCode = 1;
    }
  } else for (const { path, wanted } of await pages()) writeFileSync(path, wanted);
}
