import { cacheShape, type CacheLayout, type Graph, type Part } from '@weft/graph';
import { inference, type Target } from '@weft/onnx';
import { assertClose } from './compare.js';
import { interpret } from './interpret.js';
import { randomIntegers, randomParameters } from './random.js';
import { openOnnx } from './run.js';
import { countOf, type Tensor, type Tensors } from './tensor.js';

/**
 * Checks generation with a cache: a prompt at once, then single tokens, for one row and for two rows of different
 * length, the shorter padded on the left. Every row must get the logits of reading its whole text at once.
 *
 * @param graph `input_ids`, `position_ids` to `logits`
 * @throws Error that names the row and the step
 */
export async function checkCachedDecoding(
  graph: Graph,
  model: Part,
  vocabSize: number,
  target: Target,
): Promise<void> {
  const parameters = randomParameters(model, 50);
  const texts = [7, 4].map((length, i) => [...randomIntegers([length], 51 + i, 0, vocabSize).data]);
  const expected = texts.map((ids) => {
    const row = { shape: [1, ids.length] };
    return interpret(
      graph,
      { input_ids: { ...row, data: ids }, position_ids: { ...row, data: [...ids.keys()] } },
      parameters,
    )['logits']!;
  });

  const { graph: cached, cache } = inference(graph, { layout: target.cacheLayout });
  const runner = await openOnnx(cached, { target });
  try {
    for (const rows of [[0], [1], [0, 1]]) {
      const longest = Math.max(...rows.map((row) => texts[row]!.length));
      const column = (row: number, at: number) => at - (longest - texts[row]!.length);
      // The past holds one masked row from the start, because ONNX Runtime divides by the size of an empty one.
      let past: Tensors = Object.fromEntries(
        cache.map((slot) => [
          slot.past,
          {
            shape: cacheShape(target.cacheLayout, { count: 1, batch: rows.length, ...slot }) as number[],
            data: new Float64Array(rows.length * slot.heads * slot.size).fill(3),
          },
        ]),
      );
      const mask = rows.map(() => [0]);
      let done = 0;
      for (const length of [longest - 2, 1, 1]) {
        const places = rows.map((row) => Array.from({ length }, (_, i) => column(row, done + i)));
        for (const [i, list] of places.entries()) mask[i]!.push(...list.map((place) => Number(place >= 0)));
        const results = await runner.run(
          {
            input_ids: {
              shape: [rows.length, length],
              data: places.flatMap((list, i) =>
                list.map((place) => (place < 0 ? 0 : texts[rows[i]!]![place]!)),
              ),
            },
            position_ids: {
              shape: [rows.length, length],
              data: places.flat().map((place) => Math.max(place, 0)),
            },
            attention_mask: { shape: [rows.length, mask[0]!.length], data: mask.flat() },
            ...past,
          },
          parameters,
        );
        for (const [i, list] of places.entries())
          for (const [at, place] of list.entries()) {
            if (place < 0) continue;
            const what = `logits of text ${rows[i]} at token ${place}, ${rows.length} rows, ${length} tokens at once`;
            assertClose(line(results['logits']!, i * length + at), line(expected[rows[i]!]!, place), {
              tolerance: 1e-5,
              what,
            });
          }
        past = Object.fromEntries(
          cache.map((slot) => [
            slot.past,
            append(past[slot.past] as Tensor, results[slot.present]!, target.cacheLayout),
          ]),
        );
        done += length;
      }
    }
  } finally {
    await runner.release();
  }
}

/** One row of the last axis. */
function line({ shape, data }: Tensor, row: number): Tensor {
  const width = shape.at(-1)!;
  return { shape: [width], data: data.subarray(row * width, (row + 1) * width) };
}

/** Joins earlier and new keys along the axis of time. */
function append(past: Tensor, present: Tensor, layout: CacheLayout): Tensor {
  const axis = layout === 'time-major' ? 0 : 2;
  const outer = countOf(past.shape.slice(0, axis));
  const parts = [past, present].map(({ data }) => ({ data, length: data.length / outer }));
  const data = new Float64Array(past.data.length + present.data.length);
  let at = 0;
  for (let i = 0; i < outer; i++)
    for (const part of parts) {
      data.set(part.data.subarray(i * part.length, (i + 1) * part.length), at);
      at += part.length;
    }
  return {
    shape: past.shape.map((size, i) => (i === axis ? size + present.shape[axis]! : size)),
    data,
  };
}
