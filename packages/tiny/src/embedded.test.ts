import { load } from '@weft/runtime';
import { expect, it } from 'vitest';
import { evaluate } from './evaluate.js';
import { tinyFolder } from './folder.js';

// A sample of what `npm run tiny:eval` asks; the pictures of a seed are always the same.
it('answers questions about fresh pictures, however they were drawn', async () => {
  const model = await load(tinyFolder());
  try {
    const { overall } = await evaluate(model, { pictures: 60, questions: 3, seed: 8_000_000 });
    expect(overall.asked).toBe(180);
    expect(overall.right / overall.asked).toBeGreaterThanOrEqual(0.95);
  } finally {
    await model.close();
  }
}, 120_000);
