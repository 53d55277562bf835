/** Activations by the names that `config.json` files use. */
export const activationNames = [
  'gelu',
  'gelu_pytorch_tanh',
  'gelu_new',
  'quick_gelu',
  'silu',
  'swish',
  'relu2',
] as const;

export type ActivationName = (typeof activationNames)[number];
