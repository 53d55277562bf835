import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'examples/*/*.test.ts', 'docs/*.test.ts', 'tools/**/*.test.ts'],
    globalSetup: ['tools/test-setup.mjs'],
    // ONNX Runtime sessions use every core; more than two workers only makes them wait for each other.
    maxWorkers: 2,
    // Worker threads share one process: a native crash of ONNX Runtime must not take other files with it.
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
