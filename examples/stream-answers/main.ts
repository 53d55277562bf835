// A conversation about a picture, token by token: node dist/main.js [PICTURE] [MODEL FOLDER]
import { fileURLToPath } from 'node:url';
import { load } from '@weft/runtime';
import { tinyFolder } from '@weft/tiny';

const shapes = fileURLToPath(new URL('../../assets/shapes.png', import.meta.url));
const [picture = shapes, folder = tinyFolder()] = process.argv.slice(2);

const model = await load(folder);
const chat = model.chat();

async function say(text: string, images: readonly string[] = []): Promise<void> {
  process.stdout.write(`> ${text}\n`);
  const stream = chat.send(text, { images });
  for await (const chunk of stream) process.stdout.write(chunk.text);
  const { promptTokens, cachedTokens } = await stream.result();
  process.stdout.write(`\n  (${promptTokens} prompt tokens, ${cachedTokens} of them kept from before)\n`);
}

await say('How many objects are there?', [picture]);
await say('What color is the star?');

// Leaving the loop ends the answer; an AbortSignal does the same from outside.
process.stdout.write('> Describe the picture.\n');
const stream = chat.send('Describe the picture.');
let words = '';
for await (const chunk of stream) {
  words += chunk.text;
  if (words.trim().split(/\s+/).length >= 4) break;
}
process.stdout.write(`${words} ...\n  (${(await stream.result()).finishReason})\n`);
await model.close();
