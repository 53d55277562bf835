import type { Stage } from '@weft/train';

/** Seed of weights, pictures and questions. */
export const recipeSeed = 7;

/** Pictures that training shows, and those held out to watch the loss. */
export const trainingPictures = { first: 1_000_000, count: 60_000 } as const;
export const heldOutPictures = { first: 900_000, count: 480 } as const;

/**
 * The linear layers of both transformers and of the connector learn by Muon, everything else by AdamW. AdamW alone needs
 * four times as many updates for the same loss.
 */
const linear = ['**.self_attn.*_proj.weight', '**.mlp.**.weight', 'multi_modal_projector.*.weight'];

const common = {
  trainable: ['encoder', 'connector', 'backbone'],
  muon: linear,
  beta1: 0.9,
  beta2: 0.98,
  weightDecay: 0.05,
  maxGradientNorm: 1,
  learningRate: 1.2e-3,
  rates: linear.map((match) => ({ match, learningRate: 2.5e-3, weightDecay: 0.05 })),
  batchSize: 32,
  lengthWindow: 8,
  schedule: 'constant',
  warmupSteps: 20,
} as const;

/** One object and nothing else, and where it is: words and places come together first. */
export const lookStage: Stage = { ...common, name: 'look', steps: 400, warmupSteps: 50 };

/** One or two objects, and a few questions. */
export const pairStage: Stage = { ...common, name: 'pairs', steps: 300 };

/** All scenes and all questions. */
export const answerStage: Stage = { ...common, name: 'answer', steps: 3750 };

/** The same, while the rate falls. */
export const settleStage: Stage = {
  ...common,
  name: 'settle',
  steps: 3000,
  schedule: 'cosine',
  floorRatio: 0.02,
  warmupSteps: 0,
};
