import { ShapeError } from '@weft/errors';
import { add, div, matmul, maximum, mul, reduceSum, sqrt, transpose, type Value } from '@weft/graph';
import type { SteppedParameter } from './adamw.js';

export interface MuonOptions {
  /** Of Muon. */
  readonly momentum: number;
}

/** Steps of the Newton-Schulz iteration, and its coefficients, chosen for speed rather than for exact convergence. */
const steps = 5;
const [linear, cubic, quintic] = [3.4445, -4.775, 2.0315];

/**
 * One step of Muon (Jordan et al. 2024) with Nesterov momentum: the momentum of a matrix, made nearly orthogonal, so
 * that all directions learn alike. It is scaled to the usual size of an AdamW step (Liu et al. 2025), so that both take
 * the same learning rates.
 *
 * Like `torch.optim.Muon` with `adjust_lr_fn='match_rms_adamw'`, but in float32 throughout.
 *
 * @throws ShapeError unless the gradient is `[rows, columns]`
 */
export function muonStep(
  given: { readonly path: string; readonly gradient: Value; readonly first: Value; readonly rate: Value },
  { momentum }: MuonOptions,
): SteppedParameter {
  const { path, gradient, rate } = given;
  const [rows, columns, ...more] = gradient.shape;
  if (typeof rows !== 'number' || typeof columns !== 'number' || more.length > 0)
    throw new ShapeError({
      message: `Muon makes matrices orthogonal, but '${path}' is [${gradient.shape.join(', ')}].`,
      where: 'updateGraph',
      hint: 'Let parameters of other than two axes learn by AdamW.',
    });
  const first = add(mul(given.first, momentum), mul(gradient, 1 - momentum));
  const ahead = add(mul(gradient, 1 - momentum), mul(first, momentum));
  const scale = 0.2 * Math.sqrt(Math.max(rows, columns));
  return { change: mul(mul(rate, scale), orthogonalized(ahead, rows > columns)), first };
}

/** A matrix whose singular values are all near 1, by Newton-Schulz iteration. */
function orthogonalized(matrix: Value, isTall: boolean): Value {
  // Products of the shorter side are smaller.
  const turned = isTall ? transpose(matrix, [1, 0]) : matrix;
  let x = div(turned, maximum(sqrt(reduceSum(mul(turned, turned))), 1e-7));
  for (let step = 0; step < steps; step++) {
    const gram = matmul(x, transpose(x, [1, 0]));
    const polynomial = add(mul(gram, cubic), mul(matmul(gram, gram), quintic));
    x = add(mul(x, linear), matmul(polynomial, x));
  }
  return isTall ? transpose(x, [1, 0]) : x;
}
