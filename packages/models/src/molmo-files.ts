import { ConfigError, shown } from '@weft/errors';
import { namedParameters } from '@weft/graph';
import { readActivation, type VisionTransformerConfig } from '@weft/nn';
import { configReader, type Backbone, type CheckpointNames, type Json, type TensorSlice } from '@weft/spec';

/** What Molmo's processor and its trainer write; the template among the published files is not Molmo's. */
export const molmoTemplate = (): string =>
  [
    '{{ bos_token or eos_token }}',
    "{% for message in messages %}{% for part in message.content %}{% if part.type == 'image' %}",
    '<im_patch>',
    '{% endif %}{% endfor %}{% endfor %}',
    '{% for message in messages %}',
    "{{ ' ' if message.role == 'assistant' else ' User: ' }}",
    "{% for part in message.content %}{% if part.type == 'text' %}",
    "{{ part.text | trim if message.role == 'assistant' else part.text }}",
    '{% endif %}{% endfor %}',
    "{{ eos_token if message.role == 'assistant' else ' Assistant:' }}",
    '{% endfor %}',
  ].join('');

/**
 * The sizes of Molmo's vision tower: those that `vision_backbone` of its `config.json` states, the others as usual.
 *
 * @throws ConfigError for a tower that no published model has
 */
export function molmoTower(config: Json, usual: VisionTransformerConfig): VisionTransformerConfig {
  const section = configReader(config, 'config').section('vision_backbone', {});
  const read = configReader(section, 'vision_backbone');
  const size: unknown = section['image_default_input_size'] ?? [usual.imageSize, usual.imageSize];
  if (!isSize(size))
    throw new ConfigError({
      message: `config.json: vision_backbone.image_default_input_size is ${shown(size)}, expected [height, width] in pixels.`,
    });
  const tower = {
    ...usual,
    hiddenSize: read.number('image_emb_dim', usual.hiddenSize),
    intermediateSize: read.number('image_mlp_dim', usual.intermediateSize),
    numHiddenLayers: read.number('image_num_layers', usual.numHiddenLayers),
    numAttentionHeads: read.number('image_num_heads', usual.numAttentionHeads),
    imageSize: size[0],
    patchSize: read.number('image_patch_size', usual.patchSize),
    hiddenAct: readActivation(read, usual.hiddenAct, 'image_mlp_activations'),
    layerNormEps: read.number('image_norm_eps', usual.layerNormEps),
  };
  const positions = Math.floor(tower.imageSize / tower.patchSize) ** 2 + 1;
  const heads = [
    read.number('image_num_key_value_heads', tower.numAttentionHeads),
    tower.hiddenSize / read.number('image_head_dim', tower.hiddenSize / tower.numAttentionHeads),
  ];
  if (
    size[0] !== size[1] ||
    read.number('image_num_pos', positions) !== positions ||
    heads.some((count) => count !== tower.numAttentionHeads)
  )
    throw new ConfigError({
      message: `config.json: a vision_backbone of ${size.join(' x ')} pixels with ${read.raw('image_num_pos') ?? positions} positions and ${tower.numAttentionHeads} heads, ${heads[0]} of keys, is not known.`,
      hint: `Published ones take squares with a position for each patch and one for the class token, and as many heads of keys.`,
    });
  return tower;
}

const isSize = (value: unknown): value is readonly [number, number] =>
  Array.isArray(value) && value.length === 2 && value.every((side) => Number.isInteger(side) && side > 0);

/** The parts' own names, from those of Molmo's checkpoints, in which q, k and v are one tensor, as are up and gate. */
export function molmoNames(backbone: Backbone): CheckpointNames {
  const { hiddenSize, numKeyValueHeads, headDim } = backbone.shape;
  const paths = [...namedParameters(backbone).keys()];
  const norms = paths.some((path) => path.includes('.post_feedforward_layernorm.'))
    ? { attn: 'post_attention_layernorm', ff: 'post_feedforward_layernorm' }
    : { attn: 'input_layernorm', ff: 'post_attention_layernorm' };
  const split = (name: string, [rows = 0, ...rest]: readonly number[]): TensorSlice[] | undefined => {
    const [, path, kind] = /^(.*)\.(?:att|ff)_proj\.(weight|bias)$/.exec(name) ?? [];
    if (path === undefined) return undefined;
    const keys = numKeyValueHeads * headDim;
    const pieces = name.includes('.att_proj.')
      ? { q_proj: hiddenSize, k_proj: keys, v_proj: keys }
      : { up_proj: rows / 2, gate_proj: rows / 2 };
    let start = 0;
    return Object.entries(pieces).map(([piece, height]) => {
      const shape = [height, ...rest];
      const slice = { name: `${path}.${piece}.${kind}`, start, shape };
      start += shape.reduce((product, side) => product * side, 1);
      return slice;
    });
  };
  return {
    split,
    rename: (name) =>
      name.startsWith('model.vision_backbone.image_vit.')
        ? towerName(name)
        : name
            .replace(/^model\.transformer\.wte\.embedding$/, 'model.embed_tokens.weight')
            .replace(/^model\.transformer\.wte\./, 'model.embed_tokens.')
            .replace(/^model\.transformer\.ln_f\./, 'model.norm.')
            .replace(/^model\.transformer\.ff_out\./, 'lm_head.')
            .replace(/^model\.transformer\.blocks\./, 'model.layers.')
            .replace(/^(model\.layers\.\d+)\.attn\.(?=\w+\.)/, '$1.')
            .replace(/^(model\.layers\.\d+)\.mlp\.(?=ff_norm\.)/, '$1.')
            .replace(/^(model\.layers\.\d+)\.attn_norm\./, `$1.${norms.attn}.`)
            .replace(/^(model\.layers\.\d+)\.ff_norm\./, `$1.${norms.ff}.`)
            .replace(/^(model\.layers\.\d+)\.([qk]_norm|[qkv]_proj)\./, '$1.self_attn.$2.')
            .replace(/^(model\.layers\.\d+)\.attn_out\./, '$1.self_attn.o_proj.')
            .replace(/^(model\.layers\.\d+)\.(up|gate)_proj\./, '$1.mlp.$2_proj.')
            .replace(/^(model\.layers\.\d+)\.ff_out\./, '$1.mlp.down_proj.'),
  };
}

const towerName = (name: string): string =>
  name
    .replace(/(?<=image_vit)\.class_embedding$/, '.embeddings.class_embedding')
    .replace(/(?<=image_vit)\.positional_embedding$/, '.embeddings.position_embedding.weight')
    .replace(/(?<=image_vit)\.patch_embedding\./, '.embeddings.patch_embedding.')
    .replace(/\.pre_ln\./, '.pre_layrnorm.')
    .replace(/\.transformer\.resblocks\./, '.encoder.layers.')
    .replace(/\.attention\.w([qkv])\./, '.self_attn.$1_proj.')
    .replace(/\.attention\.wo\./, '.self_attn.out_proj.')
    .replace(/\.attention_norm\./, '.layer_norm1.')
    .replace(/\.ffn_norm\./, '.layer_norm2.')
    .replace(/\.feed_forward\.w([12])\./, '.mlp.fc$1.');
