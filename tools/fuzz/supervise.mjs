// Runs the cases of a fuzzer in a child process that is watched: more than 10 s of processor time or 120 s by the clock is a
// hang, more memory than the bound is a fault, and a process that ends is a crash. The child is then replaced and the next
// case tried. Alike outcomes are grouped, with examples that can be run again by their numbers.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { faults, keyOf } from './outcome.mjs';

const childFile = fileURLToPath(new URL('./child.mjs', import.meta.url));

/**
 * @param fuzzer URL of a module with `run(i, { say, context })` and, if it needs one, `open()`
 * @param onOutcome is told each case's number and outcome
 * @returns counts by kind, groups of alike outcomes with the numbers of up to four cases, and the faults among them
 */
export async function supervise(
  fuzzer,
  {
    count,
    first = 0,
    processorMs = 10_000,
    clockMs = 120_000,
    startMs = 60_000,
    memoryMb = 2048,
    onOutcome = () => {},
    onProgress = () => {},
  },
) {
  const groups = new Map();
  const counts = {};
  let child = await start(fuzzer, startMs);
  try {
    for (let i = first; i < first + count; i++) {
      const outcome = await runCase(child, i, { processorMs, clockMs, memoryMb });
      counts[outcome.kind] = (counts[outcome.kind] ?? 0) + 1;
      const key = keyOf(outcome);
      const group = groups.get(key) ?? { outcome, number: 0, examples: [] };
      group.number++;
      if (group.examples.length < 4) group.examples.push({ i, what: outcome.what });
      groups.set(key, group);
      onOutcome(i, outcome);
      onProgress(i - first + 1, counts);
      if (outcome.isOver) {
        child.kill('SIGKILL');
        child = await start(fuzzer, startMs);
      }
    }
  } finally {
    child.kill('SIGKILL');
  }
  const list = [...groups.values()].toSorted((a, b) => b.number - a.number);
  return { counts, groups: list, faults: list.filter(({ outcome }) => faults.includes(outcome.kind)) };
}

function start(fuzzer, startMs) {
  return new Promise((resolve, reject) => {
    const child = fork(childFile, [String(fuzzer)], {
      execArgv: ['--unhandled-rejections=strict'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.errors = '';
    child.stderr.on('data', (text) => (child.errors = (child.errors + text).slice(-3000)));
    const fail = (reason) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`${reason}: ${child.errors}`));
    };
    const timer = setTimeout(() => fail('The child does not start'), startMs);
    const onExit = () => fail('The child ended before it began');
    child.once('exit', onExit);
    child.once('message', () => {
      clearTimeout(timer);
      child.off('exit', onExit);
      resolve(child);
    });
  });
}

function runCase(child, i, { processorMs, clockMs, memoryMb }) {
  return new Promise((resolve) => {
    let what;
    const before = usageOf(child.pid);
    const end = (outcome) => {
      clearTimeout(clock);
      clearInterval(watch);
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve({ what, ...outcome });
    };
    const over = (kind, message) => end({ kind, message, isOver: true });
    const clock = setTimeout(() => over('hang', `${clockMs} ms by the clock`), clockMs);
    const watch = setInterval(() => {
      const { memory, processor } = usageOf(child.pid);
      if (processor - before.processor > processorMs) over('hang', `${processorMs} ms of processor time`);
      else if (memory > memoryMb) over('memory', `${memoryMb} MiB`);
    }, 50);
    const onMessage = (message) => {
      if (message.done === i) end(message);
      else what = message.what ?? what;
    };
    const onExit = (code, signal) =>
      over('crash', `code ${code}, signal ${signal}: ${child.errors.slice(-400)}`);
    child.on('message', onMessage);
    child.once('exit', onExit);
    child.send({ run: i });
  });
}

/** Memory in MiB and processor time in ms of a process; nothing where the system has no /proc, so that only the clock counts. */
function usageOf(pid) {
  try {
    const memory =
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    // Ticks of a hundredth second, in user and system mode.
    return { memory, processor: (Number(fields[11]) + Number(fields[12])) * 10 };
  } catch {
    return { memory: 0, processor: 0 };
  }
}
