import type { Stage } from '@weft/train';

/** Seed of weights, pictures and questions. */
export const recipeSeed = 7;

/** Pictures that training shows, and those held out to watch the loss. */
export const trainingPictures = { first: 1_000_000, count: 60_000 } as const;
export const heldOutPictures = { first: 900_000, count: 480 } as const;

const common = {
  trainable: ['encoder', 'connector', 'backbone'],
  beta1: 0.9,
  beta2: 0.98,
  weightDecay: 0.05,
  maxGradientNorm: 1,
  learningRate: 6e-4,
  batchSize: 32,
  lengthWindow: 8,
} as const;

/** One object and nothing else, and where it is: words and places come together first. */
export const lookStage: Stage = {
  ...common,
  name: 'look',
  steps: 600,
  schedule: 'constant',
  warmupSteps: 50,
};

/** One or two objects, and a few questions. */
export const pairStage: Stage = {
  ...common,
  name: 'pairs',
  steps: 500,
  schedule: 'constant',
  warmupSteps: 20,
};

/** All scenes and all questions. */
export const answerStage: Stage = {
  ...common,
  name: 'answer',
  steps: 3000,
  schedule: 'cosine',
  floorRatio: 0.03,
  warmupSteps: 20,
};
