import { blockedScore, blockingBias, type CacheLayout, type Dim, type DType, type Node } from '@weft/graph';
import { broadcastOffsets, countOf, type Tensor } from './tensor.js';

type Attention = 'Attention' | 'CachedAttention' | 'HeldAttention';
type Meaning<O extends Attention> = (
  node: Node<O>,
  inputs: readonly Tensor[],
  size: (dim: Dim) => number,
) => Tensor;

/** One number of keys or values. */
type NumberAt = (row: number, token: number, head: number, channel: number) => number;

interface Line {
  readonly keyAt: NumberAt;
  readonly valueAt: NumberAt;
  /** Tokens. */
  readonly count: number;
  readonly heads: number;
  readonly valueSize: number;
  readonly scale: number;
  /** Broadcasts to `[B, N, L, S]`. */
  readonly bias: Tensor | undefined;
  /** Score of a key that is hidden, or whose bias is at most `blocking`. */
  readonly blocked: number;
  readonly blocking: number;
  readonly isHidden: (row: number, query: number, token: number) => boolean;
}

/** Attention in plain loops, whatever keys and values lie in. */
export const attentionMeaning: { readonly [O in Attention]: Meaning<O> } = {
  Attention: ({ attributes: { mask, scale, window }, outputs }, [q, k, v, bias]) => {
    const [, length] = q!.shape as [number, number];
    const [, count, heads, valueSize] = v!.shape as [number, number, number, number];
    return attend(q!, {
      keyAt: tokens(k!),
      valueAt: tokens(v!),
      count,
      heads,
      valueSize,
      scale,
      bias,
      ...blocksOf(outputs[0]!.dtype),
      // The last query stands at the last key.
      isHidden: (_row, query, token) => {
        const distance = query + count - length - token;
        return mask === 'causal' && (distance < 0 || (window !== undefined && distance >= window));
      },
    });
  },
  CachedAttention: ({ attributes }, [q, k, v, pastKeys, pastValues, counts, bias]) => {
    const { mask, scale, window, layout } = attributes;
    const [, length, heads, valueSize] = v!.shape as [number, number, number, number];
    const count = counts!.shape[1]!;
    const past = count - length;
    const line = (earlier: Tensor, own: Tensor): NumberAt => {
      const [before, after] = [held(earlier, layout), tokens(own)];
      return (row, token, head, channel) =>
        token < past ? before(row, token, head, channel) : after(row, token - past, head, channel);
    };
    return attend(q!, {
      keyAt: line(pastKeys!, k!),
      valueAt: line(pastValues!, v!),
      count,
      heads,
      valueSize,
      scale,
      bias,
      ...blocksOf('float32'),
      isHidden: (row, query, token) => {
        const distance = past + query - token;
        const isLater = mask === 'causal' && distance < 0;
        const isBefore = window !== undefined && distance >= window;
        return counts!.data[row * count + token] !== 1 || isLater || isBefore;
      },
    });
  },
  HeldAttention: ({ attributes: { scale, layout } }, [q, keys, values, bias]) => {
    const [countAxis, headAxis] = layout === 'time-major' ? [0, 2] : [2, 1];
    return attend(q!, {
      keyAt: held(keys!, layout),
      valueAt: held(values!, layout),
      count: keys!.shape[countAxis]!,
      heads: keys!.shape[headAxis]!,
      valueSize: values!.shape[3]!,
      scale,
      bias,
      ...blocksOf('float32'),
      isHidden: () => false,
    });
  },
};

const blocksOf = (dtype: DType): Pick<Line, 'blocked' | 'blocking'> => ({
  blocked: blockedScore(dtype),
  blocking: blockingBias(dtype),
});

/** Keys or values `[B, S, K, H]`. */
function tokens({ shape, data }: Tensor): NumberAt {
  const [, count, heads, size] = shape as [number, number, number, number];
  return (row, token, head, channel) => data[((row * count + token) * heads + head) * size + channel]!;
}

/** Keys or values of a cache. */
function held({ shape, data }: Tensor, layout: CacheLayout): NumberAt {
  const [, second, third, size] = shape as [number, number, number, number];
  return layout === 'time-major'
    ? (row, token, head, channel) => data[((token * second + row) * third + head) * size + channel]!
    : (row, token, head, channel) => data[((row * second + head) * third + token) * size + channel]!;
}

function attend(q: Tensor, line: Line): Tensor {
  const [batch, length, heads, size] = q.shape as [number, number, number, number];
  const { count, valueSize, bias } = line;
  const added = bias && broadcastOffsets(bias.shape, [batch, heads, length, count]);
  const shape = [batch, length, heads, valueSize];
  const data = new Float64Array(countOf(shape));
  for (let row = 0; row < batch; row++)
    for (let query = 0; query < length; query++)
      for (let head = 0; head < heads; head++) {
        const keyHead = Math.floor(head / (heads / line.heads));
        const at = (row * length + query) * heads + head;
        const scores = Float64Array.from({ length: count }, (_, token) => {
          let product = 0;
          for (let i = 0; i < size; i++)
            product += q.data[at * size + i]! * line.keyAt(row, token, keyHead, i);
          const place = ((row * heads + head) * length + query) * count + token;
          const own = added ? bias.data[added[place]!]! : 0;
          const isBlocked = own <= line.blocking || line.isHidden(row, query, token);
          return isBlocked ? line.blocked : product * line.scale + own;
        });
        for (const [token, weight] of shares(scores).entries())
          for (let i = 0; i < valueSize; i++)
            data[at * valueSize + i]! += weight * line.valueAt(row, token, keyHead, i);
      }
  return { shape, data };
}

/** Exponentials of the scores as shares of their sum. */
export function shares(scores: Float64Array): Float64Array {
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}
