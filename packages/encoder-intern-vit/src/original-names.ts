import type { CheckpointNames } from '@weft/spec';

const names: readonly (readonly [RegExp, string])[] = [
  [/^embeddings\.class_embedding$/, 'embeddings.cls_token'],
  [/^embeddings\.position_embedding$/, 'embeddings.position_embeddings'],
  [/^embeddings\.patch_embedding\./, 'embeddings.patch_embeddings.projection.'],
  [/^encoder\.layers\./, 'encoder.layer.'],
  [/\.norm1\./, '.layernorm_before.'],
  [/\.norm2\./, '.layernorm_after.'],
  [/\.ls1$/, '.lambda_1'],
  [/\.ls2$/, '.lambda_2'],
  [/\.attn\.proj\./, '.attention.projection_layer.'],
  [/\.attn\./, '.attention.'],
];

/**
 * How the names of the original repositories become those of this part: `encoder.layers.3.attn.qkv.weight` are the
 * three tensors `encoder.layer.3.attention.{q,k,v}_proj.weight`.
 *
 * @param path of the tower in the checkpoint
 */
export function originalInternVitNames(path: string): Required<Pick<CheckpointNames, 'split' | 'rename'>> {
  const own = new RegExp(`^${path.replaceAll('.', '\\.')}\\.`);
  return {
    split: (name, shape) => {
      const fused = own.test(name) && /^(.*\.attn\.)qkv\.(weight|bias)$/.exec(name);
      if (!fused) return undefined;
      const [rows = 0, ...rest] = shape;
      const size = (rows / 3) * rest.reduce((product, side) => product * side, 1);
      return ['q_proj', 'k_proj', 'v_proj'].map((part, i) => ({
        name: `${fused[1]}${part}.${fused[2]}`,
        start: i * size,
        shape: [rows / 3, ...rest],
      }));
    },
    rename: (name) => {
      if (!own.test(name)) return name;
      const bare = name.slice(path.length + 1);
      return `${path}.${names.reduce((text, [from, to]) => text.replace(from, to), bare)}`;
    },
  };
}
