// Runs cases of one fuzzer in a process that may hang, crash or grow: `child.mjs FUZZER.mjs`. Answers { run: i } with
// { done: i, kind, … }, after { what } as soon as it knows what the case is.
import { outcomeOf } from './outcome.mjs';

const fuzzer = await import(process.argv[2]);
const context = await fuzzer.open?.();

process.on('message', async ({ run: i }) => {
  let what;
  const say = (words) => {
    what = words;
    process.send({ what });
  };
  try {
    const found = await fuzzer.run(i, { say, context });
    process.send({ done: i, what, kind: 'ok', ...found });
  } catch (error) {
    process.send({ done: i, what, ...outcomeOf(error) });
  }
});
// The parent kills what hangs; one that went away itself must not leave this behind.
process.on('disconnect', () => process.exit());
process.send({ ready: true });
