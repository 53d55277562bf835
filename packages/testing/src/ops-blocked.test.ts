import * as g from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { checkTargets } from './agreement.js';
import { randomNumbers, randomTensor } from './random.js';
import { toTensor, type Tensor, type TensorLike } from './tensor.js';

const [batch, length, heads, keyHeads, size] = [2, 5, 4, 2, 6];
const f32 = (...shape: g.Dim[]) => ({ dtype: 'float32' as const, shape });

/** Numbers that block a key in float32, and those that block none. */
const blocking = [g.mostNegative, -Infinity, -1e9, -2e30];
const open = [0, -3, 1.5, -40, -1000];

/** Biases `[B, N, L, S]`: of every second row all keys are blocked, of the others some, each by a number of its own. */
function randomBias(keys: number, seed: number, pick: readonly number[]): TensorLike {
  const draw = randomNumbers(seed);
  const among = (values: readonly number[]) => values[Math.floor(draw() * values.length)]!;
  const data = Array.from({ length: batch * heads * length * keys }, (_, i) => {
    const row = Math.floor(i / keys);
    return row % 2 === 0 || (draw() < 0.5 && i % keys > 0) ? among(pick) : among(open);
  });
  return { shape: [batch, heads, length, keys], data: data.map(Math.fround) };
}

/** The mean of the values `[B, S, K, H]` of a row and a query head. */
function meanOf({ shape, data }: Tensor, row: number, head: number): number[] {
  const [, count, ownHeads, width] = shape as [number, number, number, number];
  const own = Math.floor(head / (heads / ownHeads));
  return Array.from({ length: width }, (_, i) => {
    let sum = 0;
    for (let token = 0; token < count; token++)
      sum += data[((row * count + token) * ownHeads + own) * width + i]!;
    return sum / count;
  });
}

/** Checks that results `[B, L, N, H]` are means of all values where a bias blocks all keys, and not elsewhere. */
function expectMeans(y: Tensor, values: Tensor, bias: Tensor, from: number): number {
  const keys = bias.shape[3]!;
  let blocked = 0;
  for (let row = 0; row < batch; row++)
    for (let head = 0; head < heads; head++) {
      const mean = meanOf(values, row, head);
      for (let query = 0; query < length; query++) {
        const at = ((row * heads + head) * length + query) * keys;
        const isBlocked = bias.data.subarray(at, at + keys).every((one) => one <= from);
        const start = ((row * length + query) * heads + head) * mean.length;
        const off = mean.map((one, i) => Math.abs(one - y.data[start + i]!));
        if (isBlocked) {
          blocked++;
          expect(Math.max(...off)).toBeLessThan(1e-3);
        } else expect(Math.max(...off)).toBeGreaterThan(1e-3);
      }
    }
  return blocked;
}

const kinds = ['none', 'hold'] as const;

describe('a row in which every key is blocked', () => {
  it.each([
    ['of as many heads', keyHeads * 2, 'none'],
    ['of fewer key heads', keyHeads, 'none'],
    ['of held keys', keyHeads, 'hold'],
  ] as const)(
    'is the mean of all values in every target, by whichever number (%s)',
    async (_, ownHeads, cache) => {
      for (const [seed, keys] of [
        [1, 7],
        [2, 1],
        [3, 33],
      ] as const) {
        const [q, k, v] = [
          g.input('q', f32(batch, length, heads, size)),
          g.input('k', f32(batch, keys, ownHeads, size)),
          g.input('v', f32(batch, keys, ownHeads, size)),
        ];
        const bias = g.input('bias', f32(batch, heads, length, keys));
        const graph = g.makeGraph({ y: g.attend(q, k, v, { bias, cache }) });
        const feeds = {
          q: randomTensor([batch, length, heads, size], seed),
          k: randomTensor([batch, keys, ownHeads, size], seed + 10),
          v: randomTensor([batch, keys, ownHeads, size], seed + 20),
          bias: randomBias(keys, seed + 30, blocking),
        };
        const { y } = await checkTargets(graph, feeds);
        // One key is its own mean, blocked or not.
        if (keys > 1)
          expect(expectMeans(y!, feeds.v, toTensor(feeds.bias), -1e9)).toBeGreaterThanOrEqual(
            (batch * heads * length) / 2,
          );
      }
    },
  );

  it.each(kinds)('is so beside a causal mask, which blocks the other keys (%s)', async (cache) => {
    const [q, v] = [
      g.input('q', f32(batch, length, heads, size)),
      g.input('v', f32(batch, length, heads, size)),
    ];
    const bias = g.input('bias', f32(batch, heads, length, length));
    const graph = g.makeGraph({
      y: g.attend(q, q, v, { bias, cache, mask: 'causal' }),
      near: g.attend(q, q, v, { bias, cache, mask: 'causal', window: 2 }),
    });
    const feeds = {
      q: randomTensor([batch, length, heads, size], 4),
      v: randomTensor([batch, length, heads, size], 5),
      bias: randomBias(length, 6, blocking),
    };
    const { y, near } = await checkTargets(graph, feeds);
    const seen = (window: number): Tensor => {
      const { shape, data } = toTensor(feeds.bias);
      const hidden = data.map((one, i) => {
        const [query, key] = [Math.floor(i / length) % length, i % length];
        return key > query || query - key >= window ? -Infinity : one;
      });
      return { shape, data: hidden };
    };
    expect(expectMeansOfBlocked(y!, feeds.v, seen(length))).toBeGreaterThan(10);
    expect(expectMeansOfBlocked(near!, feeds.v, seen(2))).toBeGreaterThan(10);
  });

  it.each(['time-major', 'head-major'] as const)(
    'is so for padding of a batch with a cache, beyond a window and with a bias (%s)',
    async (layout) => {
      const [past, total] = [3, 3 + length];
      const cacheOf = (name: string) =>
        g.input(name, f32(...g.cacheShape(layout, { count: past, batch, heads: keyHeads, size })));
      const inputs = {
        q: g.input('q', f32(batch, length, heads, size)),
        k: g.input('k', f32(batch, length, keyHeads, size)),
        v: g.input('v', f32(batch, length, keyHeads, size)),
        pastKeys: cacheOf('pastKeys'),
        pastValues: cacheOf('pastValues'),
        attentionMask: g.input('attentionMask', { dtype: 'int64', shape: [batch, total] }),
      };
      const bias = g.input('bias', f32(batch, heads, length, total));
      const facts = { mask: 'causal', scale: 0.4, layout } as const;
      const graph = g.makeGraph({
        plain: g.cachedAttend(inputs, facts),
        biased: g.cachedAttend({ ...inputs, bias }, { ...facts, window: 3 }),
      });
      const shapeOf = (name: 'q' | 'k' | 'v' | 'pastKeys' | 'pastValues') => inputs[name].shape as number[];
      const feeds: Record<string, TensorLike> = {
        // The first row is padding but for its last token; of the second none counts.
        attentionMask: { shape: [batch, total], data: [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0] },
        bias: randomBias(total, 8, blocking),
      };
      for (const [i, name] of (['q', 'k', 'v', 'pastKeys', 'pastValues'] as const).entries())
        feeds[name] = randomTensor(shapeOf(name), 40 + i);
      const { plain, biased } = await checkTargets(graph, feeds);
      const values = [...Array(batch).keys()].flatMap((row) => [
        ...pastRow(toTensor(feeds['pastValues']!), layout, row),
        ...toTensor(feeds['v']!).data.subarray(
          row * length * keyHeads * size,
          (row + 1) * length * keyHeads * size,
        ),
      ]);
      const all = toTensor({ shape: [batch, total, keyHeads, size], data: values });
      const blockedRows = (row: number) => (row === 0 ? [0, 1, 2, 3] : [0, 1, 2, 3, 4]);
      for (const y of [plain!, biased!])
        for (let row = 0; row < batch; row++)
          for (const query of blockedRows(row))
            for (let head = 0; head < heads; head++) {
              const start = ((row * length + query) * heads + head) * size;
              for (const [i, mean] of meanOf(all, row, head).entries())
                expect(y.data[start + i]).toBeCloseTo(mean, 5);
            }
    },
  );

  it('is so in float16, whatever the scores are', async () => {
    const keys = 9;
    const [q, k, v] = [
      g.input('q', f32(batch, length, heads, size)),
      g.input('k', f32(batch, keys, heads, size)),
      g.input('v', f32(batch, keys, heads, size)),
    ];
    const bias = g.input('bias', f32(batch, heads, length, keys));
    const half = (x: g.Value) => g.cast(x, 'float16');
    const y = g.attend(half(q), half(k), half(v), { bias: half(bias) });
    const later = g.attend(half(v), half(v), half(v), { mask: 'causal' });
    const few = g.attend(half(k), half(q), half(q), { mask: 'causal' });
    const graph = g.makeGraph({
      y: g.cast(y, 'float32'),
      later: g.cast(later, 'float32'),
      few: g.cast(few, 'float32'),
    });
    const feeds = {
      q: {
        ...randomTensor([batch, length, heads, size], 1),
        data: randomTensor([batch, length, heads, size], 1).data.map((x) => 4 * x),
      },
      k: {
        ...randomTensor([batch, keys, heads, size], 2),
        data: randomTensor([batch, keys, heads, size], 2).data.map((x) => 12 * x),
      },
      v: randomTensor([batch, keys, heads, size], 3),
      bias: randomBias(keys, 9, [-65504, -Infinity, -40000]),
    };
    // Scores are some hundreds: a part of them would be left beside the most negative number of the type.
    const results = await checkTargets(graph, feeds, {}, { tolerance: 2e-2 });
    expect(expectMeans(results['y']!, feeds.v, toTensor(feeds.bias), -32752)).toBeGreaterThanOrEqual(20);
  });
});

/** Checks only rows that are blocked: of the others some see a single key. */
function expectMeansOfBlocked(y: Tensor, values: Tensor, bias: Tensor): number {
  const keys = bias.shape[3]!;
  let blocked = 0;
  for (let row = 0; row < batch; row++)
    for (let head = 0; head < heads; head++)
      for (let query = 0; query < length; query++) {
        const at = ((row * heads + head) * length + query) * keys;
        if (!bias.data.subarray(at, at + keys).every((one) => one <= -1e9)) continue;
        blocked++;
        const start = ((row * length + query) * heads + head) * size;
        for (const [i, mean] of meanOf(values, row, head).entries())
          expect(y.data[start + i]).toBeCloseTo(mean, 5);
      }
  return blocked;
}

/** Values of a row of a cache, token by token. */
function pastRow({ shape, data }: Tensor, layout: g.CacheLayout, row: number): number[] {
  const [first, second, third, width] = shape as [number, number, number, number];
  const [count, ownHeads] = layout === 'time-major' ? [first, third] : [third, second];
  const result: number[] = [];
  for (let token = 0; token < count; token++)
    for (let head = 0; head < ownHeads; head++) {
      const at =
        layout === 'time-major'
          ? (token * second + row) * third + head
          : (row * second + head) * third + token;
      result.push(...data.subarray(at * width, (at + 1) * width));
    }
  return result;
}
