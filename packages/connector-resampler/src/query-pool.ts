import { ShapeError } from '@weft/errors';
import {
  attend,
  expand,
  gather,
  linear as linearOp,
  module,
  Parameter,
  reshape,
  slice,
  type Value,
} from '@weft/graph';
import { activation, layerNorm, linear, mergeHeads, splitHeads } from '@weft/nn';
import {
  checkConfig,
  type ConnectorFactory,
  type ImageFeatures,
  type PatchGrid,
  type PartDefinition,
  type Source,
  type VisualLayout,
} from '@weft/spec';

export interface QueryPoolOptions {
  /** Tokens of a tile, by the number of its patches. Aria has 128 for 1225 patches and 256 for 4900. */
  readonly queriesOfPatches?: Readonly<Record<string, number>>;
  readonly numHeads?: number;
}

const source: Source = {
  paper: 'https://arxiv.org/abs/2410.05993',
  code: 'https://github.com/huggingface/transformers/blob/v5.18.0/src/transformers/models/aria/modeling_aria.py',
};

/** PyTorch's default. */
const eps = 1e-5;

/**
 * Aria's projector: learnt queries attend to the features of a tile once, and an MLP without biases brings the result to
 * the width of the text. A larger tile takes more of the queries, from the first.
 *
 * With an encoder of free resolution there is a graph input `query_rows` `[queries]`, which `prepare` makes of the run's
 * layout.
 */
export function queryPoolConnector(options: QueryPoolOptions = {}): ConnectorFactory {
  const { queriesOfPatches = { 1225: 128, 4900: 256 }, numHeads = 16 } = checkConfig(queryPoolPart, options);
  const most = Math.max(...Object.values(queriesOfPatches));
  const countTokens = ([rows, columns]: PatchGrid): number => {
    const queries = queriesOfPatches[rows * columns];
    if (queries !== undefined) return queries;
    throw new ShapeError({
      message: `A tile of ${rows} x ${columns} patches has no number of queries.`,
      hint: `There are numbers for tiles of ${Object.keys(queriesOfPatches).join(', ')} patches.`,
    });
  };

  return ({ visionSize, textSize, grid }) => {
    const fixed = grid && countTokens(grid);
    return module(
      'QueryPool',
      {
        query: new Parameter([most, visionSize], { kind: 'normal', std: 0.02 }),
        cross_attn: {
          q_proj: linear(visionSize, visionSize, { bias: false }),
          k_proj: linear(visionSize, visionSize, { bias: false }),
          v_proj: linear(visionSize, visionSize, { bias: false }),
          multihead_attn: packedAttention(visionSize, numHeads),
          linear: linear(visionSize, visionSize),
          layer_norm: layerNorm(visionSize, eps),
          layer_norm_kv: layerNorm(visionSize, eps),
        },
        layer_norm: layerNorm(visionSize, eps),
        feed_forward: {
          linear_in: linear(visionSize, textSize, { bias: false }),
          linear_out: linear(textSize, textSize, { bias: false }),
        },
      },
      {
        connect: (
          { query, cross_attn, layer_norm, feed_forward },
          { hiddenStates }: ImageFeatures,
          { query_rows }: Readonly<Record<string, Value>> = {},
        ): Value => {
          const { q_proj, k_proj, v_proj, multihead_attn } = cross_attn;
          const tiles = hiddenStates.shape[0]!;
          const asked = fixed ? slice(query, 0, 0, fixed) : gather(query, query_rows!);
          const [count] = asked.shape;
          // Every tile asks the same, so the norm and the first projection are computed once.
          const queries = reshape(q_proj(cross_attn.layer_norm(asked)), [1, count!, visionSize]);
          const states = cross_attn.layer_norm_kv(hiddenStates);
          const seen = multihead_attn(
            expand(queries, [tiles, count!, visionSize]),
            k_proj(states),
            v_proj(states),
          );
          const act = activation('gelu_new');
          const rows = feed_forward.linear_out(
            act(feed_forward.linear_in(layer_norm(cross_attn.linear(seen)))),
          );
          return reshape(rows, [-1, textSize]);
        },
      },
      {
        facts: () => ({
          id: 'connector-query-pool',
          source,
          config: { queriesOfPatches, numHeads },
          countTokens,
          ...(fixed
            ? {}
            : {
                inputs: { query_rows: { dtype: 'int64' as const, shape: ['queries'] } },
                prepare: ({ rows, columns }: VisualLayout) => {
                  const data = BigInt64Array.from({ length: countTokens([rows, columns]) }, (_, i) =>
                    BigInt(i),
                  );
                  return { query_rows: { dtype: 'int64' as const, shape: [data.length], data } };
                },
              }),
        }),
      },
    );
  };
}

/** PyTorch's `MultiheadAttention`, which projects once more, by one tensor for queries, keys and values. */
const packedAttention = (size: number, heads: number) =>
  module(
    'PackedAttention',
    {
      in_proj_weight: new Parameter([3 * size, size]),
      in_proj_bias: new Parameter([3 * size], { kind: 'zeros' }),
      out_proj: linear(size, size),
    },
    (m, ...inputs: readonly [q: Value, k: Value, v: Value]) => {
      const [q, k, v] = inputs.map((x, i) => {
        const [from, to] = [i * size, (i + 1) * size];
        const projected = linearOp(
          x,
          slice(m.in_proj_weight, 0, from, to),
          slice(m.in_proj_bias, 0, from, to),
        );
        return splitHeads(projected, heads);
      });
      return m.out_proj(mergeHeads(attend(q!, k!, v!)));
    },
  );

/** Aria's connector, by its name. */
export const queryPoolPart: PartDefinition<'connector', QueryPoolOptions> = {
  id: 'connector-query-pool',
  kind: 'connector',
  create: (config) => queryPoolConnector(config),
  fields: { queriesOfPatches: { optional: { record: 'count' } }, numHeads: { optional: 'count' } },
  presets: {},
  source,
};
