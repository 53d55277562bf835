// Tokens per second of 16 requests to the embedded model at once, against the same requests one after another: the
// ratio of the fastest of several interleaved rounds. Each round asks about pictures that the model has not seen yet.
import { load } from '../../packages/runtime/dist/index.js';
import { paint, Random, randomScene, tinyFolder } from '../../packages/tiny/dist/index.js';

const [requests, rounds] = [16, 10];
const questions = [
  'Describe the picture.',
  'How many objects are there?',
  'Read the number.',
  'Is there a red circle?',
];

/** What request `i` of a round asks, given its pictures by number. */
const kinds = {
  'descriptions of 16 pictures': (i, picture) => [picture(i), questions[0]],
  'four questions about 16 pictures': (i, picture) => [picture(i), questions[i % 4]],
  'descriptions of one picture': (_, picture) => [picture(0), questions[0]],
  'four questions about one picture': (i, picture) => [picture(0), questions[i % 4]],
};

function roundOf(kind, first) {
  const pictures = new Map();
  const picture = (i) => {
    if (!pictures.has(i)) pictures.set(i, paint(randomScene(new Random(first + i)), 256));
    return pictures.get(i);
  };
  return Array.from({ length: requests }, (_, i) => {
    const [image, text] = kind(i, picture);
    const content = [
      { type: 'image', image },
      { type: 'text', text },
    ];
    return { messages: [{ role: 'user', content }], doSample: false };
  });
}

/** @returns the answers, and the time of a token in ms */
async function timed(answer) {
  const begin = performance.now();
  const results = await answer();
  const milliseconds = performance.now() - begin;
  const tokens = results.reduce((sum, { generatedTokens }) => sum + generatedTokens, 0);
  return { texts: results.map(({ text }) => text).join('\n'), perToken: milliseconds / tokens };
}

/** Prints the speeds and ratios of each kind. @throws if an answer at once differs from the one alone */
export async function concurrency(line) {
  const [one, other] = [await load(tinyFolder()), await load(tinyFolder())];
  let scene = 0;
  for (const [name, kind] of Object.entries(kinds)) {
    const fastest = { alone: Infinity, atOnce: Infinity };
    for (let round = 0; round < rounds; round++, scene += requests) {
      const batch = roundOf(kind, scene);
      const alone = await timed(async () => {
        const results = [];
        for (const request of batch) results.push(await one.generate(request).result());
        return results;
      });
      const atOnce = await timed(() => Promise.all(batch.map((request) => other.generate(request).result())));
      if (alone.texts !== atOnce.texts) throw new Error(`Answers differ:\n${alone.texts}\n\n${atOnce.texts}`);
      fastest.alone = Math.min(fastest.alone, alone.perToken);
      fastest.atOnce = Math.min(fastest.atOnce, atOnce.perToken);
    }
    line(`16 at once, ${name}`, `${(1000 / fastest.atOnce).toFixed(0)} tokens/s`);
    line('16 at once / one after another', (fastest.alone / fastest.atOnce).toFixed(2));
  }
  await one.close();
  await other.close();
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  await concurrency((name, value) => console.log(`${name.padEnd(58)} ${value}`));
