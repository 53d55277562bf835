import { linear as linearOp, module, Parameter, type AnyModule, type Value } from '@weft/graph';

export interface Linear extends AnyModule {
  (x: Value): Value;
  readonly inSize: number;
  readonly outSize: number;
}

/** Affine map `[…, inSize]` to `[…, outSize]`; weight `[outSize, inSize]` as checkpoints store it. */
export function linear(inSize: number, outSize: number, { bias = true }: { bias?: boolean } = {}): Linear {
  return module(
    'Linear',
    {
      weight: new Parameter([outSize, inSize]),
      bias: bias ? new Parameter([outSize], { kind: 'zeros' }) : null,
    },
    (m, x: Value) => linearOp(x, m.weight, m.bias),
    { facts: () => ({ inSize, outSize }) },
  );
}
