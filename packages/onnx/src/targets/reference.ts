import type { Target } from '../target.js';

/** Every operation taken apart into its primitives, in ONNX's own operators: the meaning that others are held to. */
export const reference: Target = {
  name: 'reference',
  executionProviders: ['cpu'],
  lowering: {},
  serves: () => false,
  expansions: () => ({}),
  stores: {},
  cacheLayout: 'time-major',
};
