import {
  add,
  div,
  input,
  makeGraph,
  minimum,
  mul,
  reduceSum,
  sqrt,
  sub,
  type Graph,
  type Value,
} from '@weft/graph';
import { adamwStep, type AdamWOptions } from './adamw.js';
import { muonStep, type MuonOptions } from './muon.js';

/** How a parameter learns. */
export type UpdateRule = 'adamw' | 'muon';

/** A parameter that learns, and the groups it belongs to. */
export interface TrainedParameter {
  readonly path: string;
  readonly shape: readonly number[];
  /** Learning-rate group. */
  readonly group: string;
  /** Decoupled decay per step, multiplied by the learning rate. */
  readonly weightDecay: number;
  /** AdamW unless given. Muon is for matrices. */
  readonly rule?: UpdateRule;
}

export interface UpdateOptions extends AdamWOptions, MuonOptions {
  /** Largest norm of the gradients; `null` does not clip. */
  readonly maxGradientNorm: number | null;
  /** One norm over all parameters, or one for each group. */
  readonly clip: 'global' | 'group';
}

/** Names of a parameter's inputs. Muon has no second moment. */
export const stateNames = (path: string) =>
  ({
    parameter: path,
    gradient: `gradient:${path}`,
    first: `first:${path}`,
    second: `second:${path}`,
  }) as const;

/** Name of the output that replaces an input of the update. */
export const nextName = (name: string): string => `next:${name}`;

/** The moments that a parameter's rule keeps from one update to the next, by input name. */
export const momentNames = ({ path, rule }: Pick<TrainedParameter, 'path' | 'rule'>): readonly string[] => {
  const { first, second } = stateNames(path);
  return rule === 'muon' ? [first] : [first, second];
};

/**
 * Scalars of one update by input name. The bias corrections are computed here in double precision: `1 - beta2^step`
 * in float32 is wrong by 1e-5 at the first update.
 *
 * @param step 1 at the first update of a parameter
 * @param weight supervised tokens, by which the gradient sums are divided
 */
export const updateScalars = (
  step: number,
  weight: number,
  { beta1, beta2 }: Pick<AdamWOptions, 'beta1' | 'beta2'>,
) =>
  ({
    'update:first_correction': 1 - beta1 ** step,
    'update:second_correction': Math.sqrt(1 - beta2 ** step),
    'update:weight': weight,
  }) as const;

/**
 * The graph of one update of all parameters, each by its rule.
 *
 * Inputs: for each parameter its value, the sum of its gradients and its moments (`momentNames`); the scalars of
 * `updateScalars`, and `learning_rate:{group}`. The bias corrections are inputs only if a parameter learns by AdamW.
 * Outputs: the new values and moments under `next:{name}`, and `gradient_norm` or `gradient_norm:{group}` before
 * clipping.
 *
 * @throws ShapeError if a parameter that learns by Muon is not a matrix
 */
export function updateGraph(parameters: readonly TrainedParameter[], options: UpdateOptions): Graph {
  const { maxGradientNorm, clip } = options;
  const scalar = (name: string) => input(name, { dtype: 'float32', shape: [] });
  const weight = scalar('update:weight');
  const rates = new Map(
    [...new Set(parameters.map((p) => p.group))].map((group) => [group, scalar(`learning_rate:${group}`)]),
  );
  const corrections = {
    firstCorrection: scalar('update:first_correction'),
    secondCorrection: scalar('update:second_correction'),
  };

  const outputs: Record<string, Value> = {};
  const clipGroups =
    clip === 'global'
      ? [parameters]
      : [...rates.keys()].map((group) => parameters.filter((p) => p.group === group));
  for (const members of clipGroups) {
    const tensor = (name: string, shape: readonly number[]) => input(name, { dtype: 'float32', shape });
    const gradients = members.map((p) => div(tensor(stateNames(p.path).gradient, p.shape), weight));
    const squares = gradients.map((g) => reduceSum(mul(g, g)));
    const norm = sqrt(squares.reduce((sum, square) => add(sum, square)));
    outputs[clip === 'global' ? 'gradient_norm' : `gradient_norm:${members[0]!.group}`] = norm;
    const factor = maxGradientNorm === null ? undefined : minimum(div(maxGradientNorm, add(norm, 1e-6)), 1);
    for (const [i, p] of members.entries()) {
      const names = stateNames(p.path);
      const rate = rates.get(p.group)!;
      const gradient = factor ? mul(gradients[i]!, factor) : gradients[i]!;
      const value = tensor(names.parameter, p.shape);
      const first = tensor(names.first, p.shape);
      const stepped =
        p.rule === 'muon'
          ? muonStep({ path: p.path, gradient, first, rate }, options)
          : adamwStep(
              { gradient, first, second: tensor(names.second, p.shape), rate, ...corrections },
              options,
            );
      const decayed = p.weightDecay === 0 ? value : mul(value, sub(1, mul(rate, p.weightDecay)));
      outputs[nextName(names.parameter)] = sub(decayed, stepped.change);
      outputs[nextName(names.first)] = stepped.first;
      if (stepped.second) outputs[nextName(names.second)] = stepped.second;
    }
  }
  return makeGraph(outputs);
}
