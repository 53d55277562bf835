/** Activations by the names that `config.json` files use. */
export type ActivationName =
  | 'gelu'
  | 'gelu_pytorch_tanh'
  | 'gelu_new'
  | 'quick_gelu'
  | 'silu'
  | 'swish'
  | 'relu2';
