/** How a parameter without a checkpoint is filled. `normal` has mean 0. */
export type Initializer =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'ones' }
  | { readonly kind: 'normal'; readonly std: number }
  | { readonly kind: 'uniform'; readonly bound: number };

/** A tensor that is learnt: a shape and a way to fill it. It holds no data and belongs to no graph. */
export class Parameter {
  constructor(
    readonly shape: readonly number[],
    readonly initializer: Initializer = { kind: 'normal', std: 0.02 },
  ) {}

  get elements(): number {
    return this.shape.reduce((product, dim) => product * dim, 1);
  }
}
