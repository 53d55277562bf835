import { repeat } from '@weft/graph';
import type { TensorSlice } from '@weft/spec';

/**
 * The tensors of single experts within the two tensors that transformers 5 keeps for all experts of a layer:
 * `mlp.experts.gate_up_proj` `[E, 2I, D]`, gate over up, and `mlp.experts.down_proj` `[E, D, I]`.
 *
 * @returns nothing for any other tensor
 */
export function splitExperts(name: string, shape: readonly number[]): readonly TensorSlice[] | undefined {
  const found = /^(.*mlp\.experts)\.(gate_up_proj|down_proj)$/.exec(name);
  const [experts = 0, rows = 0, columns = 0] = shape;
  if (!found || shape.length !== 3) return undefined;
  const [, path, which] = found;
  const names = which === 'down_proj' ? ['down_proj'] : ['gate_proj', 'up_proj'];
  const height = rows / names.length;
  return repeat(experts, (expert) =>
    names.map((part, i) => ({
      name: `${path}.${expert}.${part}.weight`,
      start: (expert * rows + i * height) * columns,
      shape: [height, columns],
    })),
  ).flat();
}
