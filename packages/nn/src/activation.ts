import { ConfigError } from '@weft/errors';
import { gelu, quickGelu, relu2, silu, type Value } from '@weft/graph';

/** Activations by the names that `config.json` files use. */
const activations = {
  gelu: (x: Value) => gelu(x),
  gelu_pytorch_tanh: (x: Value) => gelu(x, 'tanh'),
  gelu_new: (x: Value) => gelu(x, 'tanh'),
  quick_gelu: quickGelu,
  silu,
  swish: silu,
  relu2,
} as const;

export type ActivationName = keyof typeof activations;

/** The activation of a name. @throws ConfigError that lists the known ones */
export function activation(name: string): (x: Value) => Value {
  const found = Object.hasOwn(activations, name) ? activations[name as ActivationName] : undefined;
  if (!found)
    throw new ConfigError({
      message: `There is no activation '${name}'.`,
      hint: `Known: ${Object.keys(activations).join(', ')}.`,
    });
  return found;
}
