import { describe, expect, it } from 'vitest';
import { supervise, type Outcome } from './supervise.mjs';

const url = (name: string): URL => new URL(`./${name}.mjs`, import.meta.url);

describe('the frame of the fuzzers', () => {
  it('tells hangs, crashes, memory and errors that are not Weft’s from what is refused, and goes on after each', async () => {
    const outcomes: Outcome[] = [];
    const report = await supervise(url('test/faulty'), {
      count: 12,
      processorMs: 1500,
      clockMs: 15_000,
      memoryMb: 300,
      onOutcome: (_, outcome) => outcomes.push(outcome),
    });
    expect(outcomes.map(({ kind }) => kind)).toEqual([
      ...[
        'ok',
        'typed',
        'typed',
        'untyped',
        'wrong',
        'hang',
        'crash',
        'crash',
        'hang',
        'memory',
        'untyped',
        'ok',
      ],
    ]);
    expect(outcomes[5]).toMatchObject({ what: 'case 5, opened', message: '1500 ms of processor time' });
    expect(outcomes[6]!.message).toMatch(/^code 7/);
    expect(outcomes[7]!.message).toMatch(/signal SIGSEGV/);
    expect(outcomes[8]!.message).toBe('15000 ms by the clock');
    expect(report.counts).toEqual({ ok: 2, typed: 2, untyped: 2, wrong: 1, hang: 2, crash: 2, memory: 1 });
    // Two refusals that differ in a name and a number are one group.
    const typed = report.groups.filter(({ outcome }) => outcome.kind === 'typed');
    expect(typed).toMatchObject([{ number: 2, examples: [{ i: 1 }, { i: 2 }] }]);
    expect(report.faults).toHaveLength(8);
  });

  it('says what a child wrote that cannot start', async () => {
    await expect(supervise(url('test/missing'), { count: 1 })).rejects.toThrow(
      /ended before it began[^]*Cannot find module/,
    );
  });
});

describe('fuzzers', () => {
  it.each([
    ['headers', 1500],
    ['indexes', 150],
    ['images', 120],
    ['configs', 60],
    ['generation', 60],
    ['prompts', 200],
    ['training', 40],
    ['golden', 12],
  ])('find nothing in the first cases: %s', async (name, count) => {
    const { counts, faults } = await supervise(url(name), { count });
    expect(faults).toEqual([]);
    // Both kinds come up, so that neither everything nor nothing is refused.
    expect(Math.min(counts['ok']!, counts['typed']!)).toBeGreaterThanOrEqual(count / 20);
  });

  it('of headers have a verdict of the reference for every case', async () => {
    const { count, isAccepted } = await import('./headers.mjs');
    let accepted = 0;
    for (let i = 0; i < count; i++) if (isAccepted(i)) accepted++;
    expect(accepted).toBe(5779);
  });
});
