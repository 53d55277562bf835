// `npm run fuzz`: all fuzzers, `npm run fuzz -- headers 500 12000`: one, 500 cases from number 12000 on. Prints what was found
// and ends with 1 if that is a fault.
import { readdirSync } from 'node:fs';
import { supervise } from './supervise.mjs';

const here = new URL('.', import.meta.url);
const frame = ['main.mjs', 'child.mjs', 'supervise.mjs', 'outcome.mjs', 'random.mjs', 'pack.mjs'];
const known = readdirSync(here)
  .filter((file) => file.endsWith('.mjs') && !frame.includes(file))
  .map((file) => file.slice(0, -'.mjs'.length));
const [asked, number, from = '0'] = process.argv.slice(2);
if (asked !== undefined && !known.includes(asked)) {
  console.error(`There is no fuzzer '${asked}'. Known: ${known.join(', ')}.`);
  process.exit(2);
}

let found = 0;
for (const name of asked === undefined ? known : [asked]) {
  const url = new URL(`./${name}.mjs`, here);
  const { count, limits = {} } = await import(url);
  const total = number === undefined ? count : Number(number);
  const began = Date.now();
  const { counts, faults } = await supervise(url, {
    ...limits,
    count: total,
    first: Number(from),
    onProgress: (done, sums) => {
      if (done % 1000 === 0) console.error(`${name}: ${done} of ${total} ${JSON.stringify(sums)}`);
    },
  });
  const seconds = Math.round((Date.now() - began) / 1000);
  console.log(
    `${name}: ${total} cases in ${seconds} s, ${JSON.stringify(counts)}, ${faults.length} kinds of faults`,
  );
  for (const { outcome, number: times, examples } of faults) {
    console.log(
      `  ${times} times ${outcome.kind}: ${outcome.name ?? ''} ${outcome.message.split('\n')[0]} ${outcome.frame ?? ''}`,
    );
    console.log(`    such as ${examples.map(({ i, what }) => `${i} (${what})`).join(', ')}`);
  }
  found += faults.length;
}
process.exitCode = found > 0 ? 1 : 0;
