import { describe, expect, it } from 'vitest';
import type { Look, SeenPicture } from './preparer.js';
import { PictureStore } from './picture-store.js';

const look: Look = {
  visual: { width: 1, height: 1, channels: 3, data: new Uint8Array(3) },
  placement: { tiles: 1, tokens: 1, formula: '1', prompt: '<image>', plan: {} },
};

/** A store whose pictures take 10 bytes each, with what was seen and forgotten. */
function storeOf(budget: number, fails = false) {
  const seen: number[] = [];
  const forgotten: number[] = [];
  const scheduler = {
    see: async (): Promise<SeenPicture> => {
      await Promise.resolve();
      if (fails) throw new Error('cannot be seen');
      seen.push(seen.length + 1);
      const id = seen.length;
      return { id, tokens: 1, tiles: 0, bytes: 10, placed: undefined, preprocess: 1, encode: 1 };
    },
  };
  const forget = async (ids: readonly number[]): Promise<void> => void forgotten.push(...ids);
  return { store: new PictureStore({ forget }, scheduler, budget), seen, forgotten };
}

describe('the store of pictures', () => {
  it('encodes a picture once for all who ask for it, even at once', async () => {
    const { store, seen } = storeOf(100);
    const [a, b] = [store.lease(), store.lease()];
    const taken = await Promise.all([a.take('p', look, undefined), b.take('p', look, undefined)]);
    expect(taken.map(({ isNew }) => isNew)).toEqual([true, false]);
    expect(await a.take('p', look, undefined)).toMatchObject({ isNew: false });
    await b.take('q', look, undefined);
    expect(seen).toEqual([1, 2]);
    expect(b.get('p')!.id).toBe(1);
  });

  it('forgets what was used least recently over the budget, but nothing in use', async () => {
    const { store, forgotten } = storeOf(20);
    const [a, b] = [store.lease(), store.lease()];
    await a.take('p', look, undefined);
    for (const key of ['q', 'r', 's']) await b.take(key, look, undefined);
    expect(forgotten).toEqual([]);
    b.keep(['s']);
    expect(forgotten).toEqual([2, 3]);
    a.release();
    expect(forgotten).toEqual([2, 3]);
    await b.take('t', look, undefined);
    expect(forgotten).toEqual([2, 3, 1]);
  });

  it('keeps nothing without a budget once nobody uses it', async () => {
    const { store, forgotten } = storeOf(0);
    const lease = store.lease();
    await lease.take('p', look, undefined);
    expect(forgotten).toEqual([]);
    lease.release();
    expect(forgotten).toEqual([1]);
  });

  it('goes on for others when one who asked gives up', async () => {
    const { store, seen, forgotten } = storeOf(0);
    const [a, b] = [store.lease(), store.lease()];
    const given = a.take('p', look, AbortSignal.abort(new Error('enough')));
    const kept = b.take('p', look, undefined);
    await expect(given).rejects.toThrow('enough');
    expect((await kept).picture.id).toBe(1);
    expect([seen, forgotten]).toEqual([[1], []]);
    b.release();
    expect(forgotten).toEqual([1]);
  });

  it('tries a picture that could not be encoded again', async () => {
    const { store } = storeOf(100, true);
    const lease = store.lease();
    for (let i = 0; i < 2; i++)
      await expect(lease.take('p', look, undefined)).rejects.toThrow('cannot be seen');
    expect(lease.get('p')).toBeUndefined();
  });
});
