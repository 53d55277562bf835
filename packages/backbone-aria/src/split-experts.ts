import { expertSlices } from '@weft/nn';
import type { StoredPlace, TensorSlice } from '@weft/spec';

/**
 * The tensors of single experts within the two that a layer of Aria has for all of them: `mlp.experts.fc1.weight`
 * `[E, D, 2I]` and `mlp.experts.fc2.weight` `[E, I, D]`, or by the names inside transformers 5 `mlp.experts.gate_up_proj`
 * and `mlp.experts.down_proj`.
 *
 * @returns nothing for any other tensor
 */
export function splitAriaExperts(name: string, shape: readonly number[]): readonly TensorSlice[] | undefined {
  const found = /^(.*mlp\.experts)\.(fc[12])\.weight$|^(.*mlp\.experts)\.(gate_up_proj|down_proj)$/.exec(
    name,
  );
  if (!found) return undefined;
  const which = found[2] ?? (found[4] === 'down_proj' ? 'fc2' : 'fc1');
  return expertSlices(found[1] ?? found[3]!, [which], shape);
}

/** The tensor of all experts that files have in the place of one expert's; transformers reads no others. */
export function storedAriaExperts(name: string): StoredPlace | undefined {
  const [, path, expert, which] = /^(.*mlp\.experts)\.(\d+)\.(fc[12])\.weight$/.exec(name) ?? [];
  return path === undefined ? undefined : { name: `${path}.${which}.weight`, index: Number(expert) };
}
