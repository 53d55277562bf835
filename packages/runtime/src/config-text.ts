import type { Json } from '@weft/spec';

/** Fields that transformers types as float; it refuses `1` for `1.0`. */
const floatFields = [
  'attention_dropout',
  'attention_factor',
  'clip_qkv',
  'dropout',
  'embd_pdrop',
  'factor',
  'hidden_dropout',
  'hidden_dropout_rate',
  'high_freq_factor',
  'initializer_factor',
  'initializer_range',
  'layer_norm_eps',
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

/** The text of a `config.json`. JavaScript knows one kind of number; whole ones of float fields get their `.0` back. */
export function configText(config: Json): string {
  // A line break within a text is escaped, so a line that looks like a field is one.
  const wholeFloats = new RegExp(`^( *"(?:${floatFields.join('|')})": -?\\d+)(,?)$`, 'gm');
  return `${JSON.stringify(config, null, 2).replace(wholeFloats, '$1.0$2')}\n`;
}
