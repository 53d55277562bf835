// A fuzzer whose cases have every fault that the frame looks for, and none that it does not.
import { WeightError } from '../../../packages/errors/dist/index.js';

const held = [];
const cases = [
  () => undefined,
  () => {
    throw new WeightError('The tensor "a" has 3 bytes.');
  },
  () => {
    throw new WeightError('The tensor "b" has 14 bytes.');
  },
  () => {
    throw new TypeError("Cannot read properties of undefined (reading 'x')");
  },
  () => ({ kind: 'wrong', message: 'only Weft accepts' }),
  () => {
    for (;;);
  },
  () => process.exit(7),
  () => process.kill(process.pid, 'SIGSEGV'),
  () => new Promise(() => {}),
  () => {
    held.push(...Array.from({ length: 6 }, () => Buffer.alloc(64 * 2 ** 20, 1)));
    return new Promise(() => {});
  },
  () => Promise.reject(new RangeError('Invalid array length')),
  () => undefined,
];

export const count = cases.length;
export const open = () => 'opened';

export function run(i, { say, context }) {
  say(`case ${i}, ${context}`);
  return cases[i]();
}
