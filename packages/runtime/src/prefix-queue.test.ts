import { describe, expect, it } from 'vitest';
import { PrefixQueue } from './prefix-queue.js';

/** Whether a promise is settled after all that can go on has gone on. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe('prompts that begin alike', () => {
  it('wait for the first of them, then are read at once', async () => {
    const queue = new PrefixQueue();
    const first = await queue.claim(['a', 'b', 'c']);
    first.open(0);
    const others = [queue.claim(['a', 'b', 'x']), queue.claim(['a', 'b', 'y'])];
    const stranger = queue.claim(['z']);
    expect([await isSettled(others[0]!), await isSettled(stranger)]).toEqual([false, true]);
    first.finish();
    expect([await isSettled(others[0]!), await isSettled(others[1]!)]).toEqual([true, true]);
  });

  it('do not wait where what they share is held already', async () => {
    const queue = new PrefixQueue();
    queue.begin(['a', 'b', 'c'], 2);
    expect(await isSettled(queue.claim(['a', 'b', 'x']))).toBe(true);
    expect(await isSettled(queue.claim(['a', 'b', 'c', 'd']))).toBe(false);
  });

  it('wait until it is known what is held', async () => {
    const queue = new PrefixQueue();
    const first = await queue.claim(['a', 'b']);
    const second = queue.claim(['a', 'x']);
    expect(await isSettled(second)).toBe(false);
    first.open(1);
    expect(await isSettled(second)).toBe(true);
  });

  it('stop waiting when they are aborted, or the first one gives up', async () => {
    const queue = new PrefixQueue();
    const first = await queue.claim(['a']);
    first.open(0);
    const controller = new AbortController();
    const second = queue.claim(['a'], controller.signal);
    controller.abort(new Error('enough'));
    await expect(second).rejects.toThrow('enough');
    const third = queue.claim(['a']);
    first.finish();
    first.finish();
    expect(await isSettled(third)).toBe(true);
  });
});
