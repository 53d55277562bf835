import type { Json } from '@weft/spec';

/** Fields that transformers types as float; it refuses `1` for `1.0`. */
const floatFields = [
  'attention_dropout',
  'attention_factor',
  'beta_fast',
  'beta_slow',
  'clip_qkv',
  'downsample_ratio',
  'dropout',
  'embd_pdrop',
  'factor',
  'hidden_dropout',
  'hidden_dropout_rate',
  'high_freq_factor',
  'initializer_factor',
  'initializer_range',
  'layer_norm_eps',
  'layer_scale_init_value',
  'layerscale_value',
  'logit_scale_init_value',
  'low_freq_factor',
  'norm_eps',
  'partial_rotary_factor',
  'projection_dropout',
  'resid_pdrop',
  'rms_norm_eps',
  'rope_theta',
  'router_aux_loss_coef',
] as const;

/** Fields that it types as lists of them. */
const floatLists = /"(?:long|short)_factor": \[[^\]]*\]/g;

/** The text of a `config.json`. JavaScript knows one kind of number; whole ones of float fields get their `.0` back. */
export function configText(config: Json): string {
  // A line break within a text is escaped, so a line that looks like a field is one.
  const wholeFloats = new RegExp(`^( *"(?:${floatFields.join('|')})": -?\\d+)(,?)$`, 'gm');
  const text = JSON.stringify(config, null, 2).replace(wholeFloats, '$1.0$2');
  return `${text.replace(floatLists, (list) => list.replace(/^( *-?\d+)(,?)$/gm, '$1.0$2'))}\n`;
}
