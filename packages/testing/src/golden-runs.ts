import { trace, type TensorData } from '@weft/graph';
import { targets } from '@weft/onnx';
import type { VisionEncoder } from '@weft/spec';
import { assertClose } from './compare.js';
import { readFixture, requireParameters } from './golden.js';
import { openOnnx } from './run.js';

/** Values of the reference implementation for an encoder of free resolution. */
export interface GoldenRuns {
  /** Holds `weights.*`, the reference's own tensors as `inputs.*`, `outputs.*` and the `config` as metadata. */
  readonly file: URL;
  readonly model: (config: Readonly<Record<string, unknown>>) => VisionEncoder;
  /** Name of the output that holds the features of all pictures, `[rows, channels]`. */
  readonly output: string;
}

/**
 * Makes the graph inputs of the reference's tensors, runs every picture, and compares the features.
 *
 * @returns the largest difference as a share of the largest element
 * @throws Error if a weight's name or shape differs, or a feature by more than 1e-5
 */
export async function checkGoldenRuns({ file, model: make, output }: GoldenRuns): Promise<number> {
  const fixture = await readFixture(file);
  const [weights, tensors] = [fixture.group('weights'), fixture.group('inputs')];
  const encoder = make(JSON.parse(fixture.metadata['config']!) as Record<string, unknown>);
  requireParameters(encoder, weights);
  const types = fixture.types('inputs');
  const given = Object.entries(tensors).map(([name, { shape, data }]): [string, TensorData] => {
    const { dtype } = types[name]!;
    return [
      name,
      { dtype, shape, data: dtype === 'int64' ? BigInt64Array.from(data, BigInt) : Float32Array.from(data) },
    ];
  });
  const runs = encoder.prepare!(Object.fromEntries(given));
  const graph = trace(encoder, encoder.inputs, (inputs) => ({
    features: encoder.encode(inputs).hiddenStates,
  }));
  let worst = 0;
  for (const target of [targets.cpu, targets.reference]) {
    const runner = await openOnnx(graph, { target });
    const features: number[] = [];
    try {
      for (const { inputs } of runs) {
        const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [
          name,
          { shape, data: Float64Array.from(data as Float32Array, Number) },
        ]);
        features.push(...(await runner.run(Object.fromEntries(feeds), weights))['features']!.data);
      }
    } finally {
      await runner.release();
    }
    const expected = fixture.group('outputs')[output]!;
    const actual = {
      shape: [features.length / encoder.hiddenSize, encoder.hiddenSize],
      data: Float64Array.from(features),
    };
    worst = Math.max(
      worst,
      assertClose(actual, expected, {
        tolerance: 1e-5,
        what: `${output} (${target.name}) against the reference implementation`,
      }),
    );
  }
  return worst;
}
