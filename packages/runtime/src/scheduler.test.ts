import { describe, expect, it } from 'vitest';
import type { StepRow } from './engine.js';
import type { Look, SeenPicture } from './preparer.js';
import { Scheduler, type Reading } from './scheduler.js';

/** An engine that answers with the last id of each row, and tells what it was asked. */
function fakeEngine({ fails = () => false }: { fails?: (row: StepRow) => boolean } = {}) {
  const steps: StepRow[][] = [];
  const truncated: [number, number][] = [];
  const engine = {
    step: async (rows: readonly StepRow[]) => {
      steps.push([...rows]);
      await Promise.resolve();
      const wrong = rows.find(fails);
      if (wrong) throw new Error(`row ${wrong.id} is wrong`);
      return rows.map(({ ids }) => Float32Array.of(ids.at(-1)!));
    },
    truncate: async (id: number, length: number) => void truncated.push([id, length]),
    forget: () => Promise.resolve(),
  };
  return { engine, steps, truncated };
}

const reading = (id: number, ids: readonly number[], held = 0): Reading => ({
  id,
  held,
  length: ids.length,
  row: (from, count) => ({ id, ids: ids.slice(from, from + count), positions: [] }),
});

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const noEye = (): Promise<readonly SeenPicture[]> => Promise.reject(new Error('no eye'));
const idsOf = (steps: readonly StepRow[][]): number[][] => steps.map((rows) => rows.map(({ id }) => id));

/** Answers with `count` tokens, one after another. */
async function answer(scheduler: Scheduler, id: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await scheduler.read(reading(id, [i]));
}

describe('the scheduler', () => {
  it('lets requests that run at the same time share each step, and leave when they are done', async () => {
    const { engine, steps } = fakeEngine();
    const scheduler = new Scheduler(engine, noEye);
    await Promise.all([answer(scheduler, 1, 3), answer(scheduler, 2, 1), answer(scheduler, 3, 2)]);
    expect(idsOf(steps)).toEqual([[1, 2, 3], [1, 3], [1]]);
  });

  it('reads a long prompt in chunks, and lets an answer go on between them', async () => {
    const { engine, steps } = fakeEngine();
    const scheduler = new Scheduler(engine, noEye);
    const [[last]] = await Promise.all([scheduler.read(reading(1, upTo(600))), answer(scheduler, 2, 5)]);
    expect(last).toBe(600);
    expect(idsOf(steps)).toEqual([[1], [2], [1], [2], [1], [2], [2], [2]]);
    expect(steps.flatMap((rows) => rows.filter(({ id }) => id === 1).map(({ ids }) => ids.length))).toEqual([
      256, 256, 88,
    ]);
  });

  it('reads short prompts together: many while nobody answers, few otherwise', async () => {
    const { engine, steps } = fakeEngine();
    const scheduler = new Scheduler(engine, noEye);
    await Promise.all([1, 2, 3, 4, 5].map((id) => scheduler.read(reading(id, upTo(100)))));
    expect(idsOf(steps)).toEqual([[1, 2, 3, 4, 5]]);
    steps.length = 0;
    await Promise.all([
      answer(scheduler, 9, 4),
      ...[1, 2, 3, 4, 5].map((id) => scheduler.read(reading(id, upTo(100)))),
    ]);
    expect(idsOf(steps)).toEqual([[9], [1, 2], [9], [3, 4], [9], [5], [9]]);
  });

  it('fails only the request that is to blame', async () => {
    const { engine, truncated } = fakeEngine({ fails: ({ id }) => id === 2 });
    const scheduler = new Scheduler(engine, noEye);
    const results = await Promise.allSettled(
      [1, 2, 3].map((id) => scheduler.read(reading(id, [id], 10 * id))),
    );
    expect(
      results.map((result) => (result.status === 'fulfilled' ? result.value[0] : String(result.reason))),
    ).toEqual([1, 'Error: row 2 is wrong', 3]);
    expect(truncated).toEqual([
      [1, 10],
      [2, 20],
      [3, 30],
    ]);
  });

  it('drops a request that is aborted, at once for its caller', async () => {
    const { engine, steps } = fakeEngine();
    const scheduler = new Scheduler(engine, noEye);
    const controller = new AbortController();
    const long = scheduler.read(reading(1, upTo(2000)), controller.signal);
    const other = answer(scheduler, 2, 3);
    controller.abort(new Error('enough'));
    await expect(long).rejects.toThrow('enough');
    await other;
    expect(idsOf(steps)).toEqual([[2], [2], [2]]);
  });

  it('sees pictures together, and each alone if that fails', async () => {
    const { engine } = fakeEngine();
    const calls: number[][] = [];
    const eye = async (looks: readonly Look[]): Promise<readonly SeenPicture[]> => {
      const widths = looks.map(({ visual }) => (visual as { width: number }).width);
      calls.push(widths);
      if (widths.includes(0)) throw new Error('no pixels');
      return widths.map((id) => ({
        id,
        tokens: 1,
        tiles: 0,
        bytes: 4,
        placed: undefined,
        preprocess: 0,
        encode: 0,
      }));
    };
    const scheduler = new Scheduler(engine, eye);
    const look = (width: number): Look => ({
      visual: { width, height: 1, channels: 3, data: new Uint8Array(0) },
      placement: { tiles: 1, tokens: 1, formula: '1', prompt: '<image>', plan: {} },
    });
    const seen = await Promise.allSettled([3, 0, 5].map((width) => scheduler.see(look(width))));
    expect(seen.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(calls).toEqual([[3, 0, 5], [3], [0], [5]]);
  });
});
