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
  learningRate: 1.5e-3,
  batchSize: 32,
  lengthWindow: 8,
} as const;

/** Scenes of one or two objects: the words and forms of answers. */
export const wordStage: Stage = { ...common, name: 'words', steps: 500, schedule: 'constant', warmupSteps: 150 };

/** One object and nothing else: where words and places come together first. */
export const lookStage: Stage = { ...common, name: 'look', steps: 400, schedule: 'constant', warmupSteps: 20 };

/** One or two objects again. */
export const pairStage: Stage = { ...common, name: 'pairs', steps: 400, schedule: 'constant', warmupSteps: 20 };

/** All scenes and all questions. */
export const answerStage: Stage = { ...common, name: 'answer', steps: 3800, schedule: 'cosine', floorRatio: 0.02, warmupSteps: 50 };
