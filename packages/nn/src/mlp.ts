import { module, mul, type AnyModule, type Value } from '@weft/graph';
import { activation, type ActivationName } from './activation.js';
import { linear } from './linear.js';

export interface MlpConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  /** Name as in `config.json`. */
  readonly hiddenAct: ActivationName;
}

export type Mlp = AnyModule & ((x: Value) => Value);

/** `fc2(act(fc1(x)))` with biases, of vision transformers. */
export function mlp(c: MlpConfig): Mlp {
  const act = activation(c.hiddenAct);
  return module(
    'Mlp',
    { fc1: linear(c.hiddenSize, c.intermediateSize), fc2: linear(c.intermediateSize, c.hiddenSize) },
    (m, x: Value) => m.fc2(act(m.fc1(x))),
  );
}

/** `down(act(gate(x)) * up(x))`, of Llama-like decoders. */
export function gatedMlp(c: MlpConfig & { readonly mlpBias?: boolean }): Mlp {
  const act = activation(c.hiddenAct);
  const bias = c.mlpBias ?? false;
  return module(
    'GatedMlp',
    {
      gate_proj: linear(c.hiddenSize, c.intermediateSize, { bias }),
      up_proj: linear(c.hiddenSize, c.intermediateSize, { bias }),
      down_proj: linear(c.intermediateSize, c.hiddenSize, { bias }),
    },
    (m, x: Value) => m.down_proj(mul(act(m.gate_proj(x)), m.up_proj(x))),
  );
}
