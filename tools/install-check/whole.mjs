// Runs in a project that names weft-vlm alone.
import assert from 'node:assert/strict';
import { load, tinyFolder, verify } from 'weft-vlm';
import { countElements } from 'weft-vlm/graph';
import * as parts from 'weft-vlm/parts';

assert.equal(countElements([2, 3]), 6);
const definitions = Object.values(parts).filter((value) => typeof value?.create === 'function');
assert.ok(definitions.length > 30);
assert.equal(typeof verify, 'function');

const model = await load(tinyFolder());
const image = { width: 64, height: 64, channels: 3, data: new Uint8Array(64 * 64 * 3) };
const content = [
  { type: 'image', image },
  { type: 'text', text: 'How many circles are there?' },
];
const { text } = await model.generate({ messages: [{ role: 'user', content }] }).result();
assert.match(text, /^\d$/);
await model.close();
console.log(`${definitions.length} definitions of parts`);
