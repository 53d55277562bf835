import { ConfigError } from '@weft/errors';
import { gelu, quickGelu, relu2, silu, type Value } from '@weft/graph';
import type { ActivationName, ConfigReader } from '@weft/spec';

export type { ActivationName } from '@weft/spec';

const activations: { readonly [A in ActivationName]: (x: Value) => Value } = {
  gelu: (x: Value) => gelu(x),
  gelu_pytorch_tanh: (x: Value) => gelu(x, 'tanh'),
  gelu_new: (x: Value) => gelu(x, 'tanh'),
  quick_gelu: quickGelu,
  silu,
  swish: silu,
  relu2,
};

/**
 * The activation of a name. Configurations are data, so a name may be none of these in spite of its type.
 *
 * @throws ConfigError that lists the known ones
 */
export function activation(name: ActivationName): (x: Value) => Value {
  const found = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (!found)
    throw new ConfigError({
      message: `There is no activation '${name}'.`,
      hint: `Known: ${Object.keys(activations).join(', ')}.`,
    });
  return found;
}

/**
 * The activation that a section of a `config.json` names.
 *
 * @param fallback default of the reference's class
 * @throws ConfigError that lists the known ones, if the section names another
 */
export const readActivation = (
  read: ConfigReader,
  fallback: ActivationName,
  key = 'hidden_act',
): ActivationName => read.oneOf(key, Object.keys(activations) as ActivationName[], fallback);
