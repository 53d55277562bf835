// Runs in a project that names weft-vlm alone, in Node, Bun and Deno.
import assert from 'node:assert/strict';
import { load, tinyFolder } from 'weft-vlm';

const image = { width: 64, height: 64, channels: 3, data: new Uint8Array(64 * 64 * 3) };
const content = [
  { type: 'image', image },
  { type: 'text', text: 'How many circles are there?' },
];
const answers = [];
for (const worker of [true, false]) {
  const model = await load(tinyFolder(), { worker });
  const { text } = await model.generate({ messages: [{ role: 'user', content }] }).result();
  const [pieces, chat] = [[], model.chat()];
  for await (const chunk of chat.send('How many stars are there?', { images: [image] }))
    pieces.push(chunk.text);
  answers.push(`${text} ${pieces.join('')}`);
  await Promise.all([model.close(), model.close()]);
  await model.close();
  await assert.rejects(model.generate({ prompt: 'a' }).result(), /The model was closed/);
}
assert.equal(answers[0], answers[1]);
assert.match(answers[0], /^\d \d$/);
console.log(`answers ${answers[0]}`);
