// Low-rank adapters on four projections of the embedded model: node dist/main.js
import { isWeftError } from '@weft/errors';
import { add, isModule, linear, module, Parameter, trace, type AnyModule, type Value } from '@weft/graph';
import { mapModel, textGraph } from '@weft/models';
import { part } from '@weft/spec';
import { tinyModel } from '@weft/tiny';
import { describeStage } from '@weft/train';

const rank = 4;

/** A linear layer and a low-rank change beside it. The layer's path is '', so its weight keeps the name that files have. */
function withAdapter(base: AnyModule): AnyModule {
  const [outSize, inSize] = (base.parts['weight'] as Parameter).shape as [number, number];
  const parts = {
    base: base as AnyModule & ((x: Value) => Value),
    lora_A: new Parameter([rank, inSize]),
    lora_B: new Parameter([outSize, rank], { kind: 'zeros' }),
  };
  const forward = (m: Pick<typeof parts, 'base'> & Record<'lora_A' | 'lora_B', Value>, x: Value): Value =>
    add(m.base(x), linear(linear(x, m.lora_A), m.lora_B));
  return module('LowRank', parts, forward, { paths: { base: '' } });
}

const model = await tinyModel();
const target = /^language_model\.model\.layers\.[01]\.self_attn\.[qv]_proj$/;
const adapted = mapModel(
  model,
  (one, path) => (isModule(one) && target.test(path) ? withAdapter(one) : one),
  { atLeast: 4, what: 'queries and values of the first two layers' },
);

const graph = textGraph(adapted);
const added = [...graph.parameters.keys()].filter((path) => path.includes('lora_'));
console.log(`The traced graph holds ${added.length} new parameters:`);
for (const path of added) console.log(`  ${path} [${graph.parameters.get(path)!.shape.join(', ')}]`);
console.log(
  `\n${describeStage(adapted, { name: 'adapt', trainable: ['**.lora_*'], steps: 1, batchSize: 1, learningRate: 1e-4 })}`,
);

const ids = { input_ids: { dtype: 'int64', shape: ['batch', 'sequence'] } } as const;
const attempts = [
  // The old backbone is not in the new tree, so it cannot run untransformed unnoticed.
  () =>
    trace(adapted.module, ids, ({ input_ids: x }) => ({
      y: part(model, 'backbone').decode({ hiddenStates: part(model, 'backbone').embed(x), positionIds: x }),
    })),
  () => mapModel(model, (one) => one, { what: 'queries and values' }),
];
for (const attempt of attempts)
  try {
    attempt();
  } catch (error) {
    if (!isWeftError(error)) throw error;
    console.log(`\n${error.name}: ${error.message}`);
  }
