import { repeat } from '@weft/graph';
import type { TensorSlice } from '@weft/spec';

/**
 * The tensors of single experts within one of all, `[E, rows, columns]`.
 *
 * @param path of the experts, such as `model.layers.0.mlp.experts`
 * @param names of an expert's matrices within its rows, one over another, equally high
 * @returns nothing for a tensor of another rank
 */
export function expertSlices(
  path: string,
  names: readonly string[],
  shape: readonly number[],
): readonly TensorSlice[] | undefined {
  const [experts = 0, rows = 0, columns = 0] = shape;
  if (shape.length !== 3) return undefined;
  const height = rows / names.length;
  return repeat(experts, (expert) =>
    names.map((name, i) => ({
      name: `${path}.${expert}.${name}.weight`,
      start: (expert * rows + i * height) * columns,
      shape: [height, columns],
    })),
  ).flat();
}

/**
 * The tensors of `expertsMlp` within the two tensors that transformers 5 keeps for all experts of a layer:
 * `mlp.experts.gate_up_proj` `[E, 2I, D]`, gate over up, and `mlp.experts.down_proj` `[E, D, I]`.
 *
 * @returns nothing for any other tensor
 */
export function splitExperts(name: string, shape: readonly number[]): readonly TensorSlice[] | undefined {
  const found = /^(.*mlp\.experts)\.(gate_up_proj|down_proj)$/.exec(name);
  if (!found) return undefined;
  const [, path, which] = found;
  return expertSlices(path!, which === 'down_proj' ? ['down_proj'] : ['gate_proj', 'up_proj'], shape);
}
