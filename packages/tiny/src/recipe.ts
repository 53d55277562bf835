import type { Stage } from '@weft/train';

/** Seed of weights, pictures and questions. */
export const recipeSeed = 7;

/** Pictures that training shows, and those held out to watch the loss. */
export const trainingPictures = { first: 1_000_000, count: 60_000 } as const;
export const heldOutPictures = { first: 900_000, count: 480 } as const;

const common = { trainable: ['encoder', 'connector', 'backbone'], beta1: 0.9, beta2: 0.98, weightDecay: 0.05, maxGradientNorm: 1, batchSize: 48, lengthWindow: 8 } as const;

/** The stages of the embedded model: first it learns to see, then to answer. */
export const lookStage: Stage = {
  ...common,
  name: 'look',
  steps: 1000,
  learningRate: 1.5e-3,
  schedule: 'constant',
  warmupSteps: 200,
};

export const answerStage: Stage = {
  ...common,
  name: 'answer',
  steps: 4200,
  learningRate: 1.5e-3,
  schedule: 'cosine',
  floorRatio: 0.03,
  warmupSteps: 50,
};
