// What the graph of each published size is made of: `packages/models/graphs.json`, so that a change to a shared block
// shows which models it moves. `node tools/graphs.mjs --write` writes it, without `--write` the presets that differ are
// listed. Build first. Only graphs are built, no weights.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printJson, root } from './manifest.mjs';

const file = join(root, 'packages/models/graphs.json');

/** Adds up by key, in the order of keys. */
function tally(entries) {
  const sums = {};
  for (const [key, count] of [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
    sums[key] = (sums[key] ?? 0) + count;
  return sums;
}

const numbers = (parameters) => parameters.reduce((sum, { elements }) => sum + elements, 0);

/** Nodes by operation, inputs by name and type with `*` for the number of a layer, and how many tensors it reads. */
const summary = (graph) => ({
  nodes: tally(
    graph.nodes.map(({ op, attributes }) => [
      op === 'Onnx' ? `${attributes.domain}.${attributes.type}` : op,
      1,
    ]),
  ),
  inputs: tally(
    [...graph.inputs].map(([name, { dtype, shape }]) => [
      `${name.replace(/\.\d+\./, '.*.')} ${dtype}[${shape.join(', ')}]`,
      1,
    ]),
  ),
  parameters: graph.parameters.size,
});

/** The graphs that run: pictures, a step of the text on its cache, and what cross-attention keeps of pictures. */
export async function graphs() {
  const [{ namedParameters }, { presetModel, presetNames, textGraph, visionGraph }, { inference }] =
    await Promise.all(['graph', 'models', 'onnx'].map((name) => import(`../packages/${name}/dist/index.js`)));
  const found = {};
  for (const name of presetNames()) {
    const model = await presetModel(name);
    const { graph: text, held } = inference(textGraph(model));
    found[name] = {
      parameters: numbers([...namedParameters(model.module).values()]),
      text: summary(text),
      ...(held ? { held: summary(held.graph) } : {}),
      ...(model.senses.length > 0 ? { vision: summary(visionGraph(model)) } : {}),
    };
  }
  return found;
}

/** One line for each preset that differs: what is stored, and what is now, of the first few things. */
export function differences(stored, found) {
  return [...new Set([...Object.keys(stored), ...Object.keys(found)])].flatMap((name) => {
    if (!found[name]) return [`${name}: there is no such preset`];
    if (!stored[name]) return [`${name}: is not stored`];
    const [before, now] = [flat(stored[name]), flat(found[name])];
    const moved = [...new Set([...before.keys(), ...now.keys()])].filter(
      (key) => before.get(key) !== now.get(key),
    );
    const shown = moved.slice(0, 6).map((key) => `${key} ${before.get(key) ?? 0} -> ${now.get(key) ?? 0}`);
    const more = moved.length > shown.length ? `, and ${moved.length - shown.length} more` : '';
    return moved.length === 0 ? [] : [`${name}: ${shown.join(', ')}${more}`];
  });
}

const flat = (value, path = '') =>
  typeof value === 'number'
    ? new Map([[path, value]])
    : new Map(
        Object.entries(value).flatMap(([key, inner]) => [...flat(inner, path ? `${path} ${key}` : key)]),
      );

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = await graphs();
  if (process.argv.includes('--write')) writeFileSync(file, printJson(found));
  else {
    const moved = differences(JSON.parse(readFileSync(file, 'utf8')), found);
    for (const line of moved) console.error(line);
    if (moved.length > 0) {
      console.error('If that is meant, run `node tools/graphs.mjs --write`.');
      process.exitCode = 1;
    }
  }
}
