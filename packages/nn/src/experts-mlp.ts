import {
  div,
  groupedLinear,
  module,
  mul,
  multiplyDims,
  Parameter,
  reduceSum,
  repeat,
  reshape,
  softmax,
  topK,
  type Value,
} from '@weft/graph';
import { activation } from './activation.js';
import { linear } from './linear.js';
import { mixExperts } from './mixture.js';
import type { Mlp, MlpConfig } from './mlp.js';

export interface ExpertsConfig {
  readonly numExperts: number;
  readonly numExpertsPerTok: number;
  /** Whether the chosen experts' probabilities are divided by their sum. */
  readonly normTopkProb: boolean;
}

const matrix = (outSize: number, inSize: number) => ({ weight: new Parameter([outSize, inSize]) });

/**
 * Mixture of gated MLPs in the form of OLMoE: the router's softmax runs over all experts, then the most probable ones are
 * taken, each a gated MLP.
 */
export function expertsMlp({ hiddenSize, intermediateSize, hiddenAct }: MlpConfig, c: ExpertsConfig): Mlp {
  const act = activation(hiddenAct);
  return module(
    'MixtureOfExperts',
    {
      gate: linear(hiddenSize, c.numExperts, { bias: false }),
      experts: repeat(c.numExperts, () => ({
        gate_proj: matrix(intermediateSize, hiddenSize),
        up_proj: matrix(intermediateSize, hiddenSize),
        down_proj: matrix(hiddenSize, intermediateSize),
      })),
    },
    (m, x: Value) => {
      const [batch, length, size] = x.shape;
      const tokens = reshape(x, [multiplyDims(batch!, length!), size!]);
      const [probabilities, experts] = topK(softmax(m.gate(tokens)), c.numExpertsPerTok);
      const weights = c.normTopkProb
        ? div(probabilities, reduceSum(probabilities, [-1], true))
        : probabilities;
      const through = (name: 'gate_proj' | 'up_proj' | 'down_proj', rows: Value, own: Value): Value =>
        groupedLinear(
          rows,
          own,
          m.experts.map((expert) => expert[name].weight),
        );
      const mixed = mixExperts(tokens, { experts, weights }, (rows, own) =>
        through('down_proj', mul(act(through('gate_proj', rows, own)), through('up_proj', rows, own)), own),
      );
      return reshape(mixed, x.shape);
    },
  );
}
