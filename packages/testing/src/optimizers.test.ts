import { readFileSync } from 'node:fs';
import {
  momentNames,
  nextName,
  stateNames,
  updateGraph,
  updateScalars,
  type TrainedParameter,
  type UpdateRule,
} from '@weft/autodiff';
import type { Graph } from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { interpret } from './interpret.js';
import { runOnnx } from './run.js';
import type { Tensors } from './tensor.js';

type Numbers = Readonly<Record<string, readonly number[]>>;
interface Fixture {
  readonly options: {
    readonly beta1: number;
    readonly beta2: number;
    readonly eps: number;
    readonly momentum: number;
  };
  readonly decay: Readonly<Record<string, number>>;
  readonly largestNorm: number;
  readonly groups: Readonly<Record<string, string>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly start: Numbers;
  readonly steps: readonly {
    readonly weight: number;
    readonly rates: Readonly<Record<string, number>>;
    readonly gradients: Numbers;
  }[];
  readonly cases: Readonly<
    Record<
      UpdateRule,
      Readonly<
        Record<
          string,
          readonly { readonly norms: Readonly<Record<string, number>>; readonly values: Numbers }[]
        >
      >
    >
  >;
}

const fixture = JSON.parse(
  readFileSync(new URL('./__fixtures__/optimizers.json', import.meta.url), 'utf8'),
) as Fixture;
const names = Object.keys(fixture.shapes);
const parametersOf = (rule: UpdateRule): TrainedParameter[] =>
  names.map((path) => {
    const group = fixture.groups[path]!;
    const shape = fixture.shapes[path]!;
    return {
      path,
      group,
      shape,
      weightDecay: fixture.decay[group]!,
      rule: shape.length === 2 ? rule : 'adamw',
    };
  });

const cases = [
  ['global', 'clipped over all parameters', { clip: 'global', maxGradientNorm: fixture.largestNorm }],
  ['group', 'clipped in each group', { clip: 'group', maxGradientNorm: fixture.largestNorm }],
  ['none', 'not clipped', { clip: 'global', maxGradientNorm: null }],
] as const;

// Constants of the graph, such as 0.95, are rounded to float32 in double precision too.
const engines = [
  ['in double precision', async (graph: Graph, feeds: Tensors) => interpret(graph, feeds), 7],
  ['in ONNX Runtime', (graph: Graph, feeds: Tensors) => runOnnx(graph, feeds), 5],
] as const;

const rules = [
  ['AdamW', 'adamw'],
  ['Muon for matrices', 'muon'],
] as const;
const runs = engines.flatMap(([place, run, digits]) =>
  rules.map(([name, rule]) => [name, place, rule, run, digits] as const),
);

it('refuses to make anything but a matrix orthogonal', () => {
  const vector: TrainedParameter = { path: 'a.bias', shape: [3], group: 'all', weightDecay: 0, rule: 'muon' };
  expect(() => updateGraph([vector], { ...fixture.options, clip: 'global', maxGradientNorm: 1 })).toThrow(
    /'a\.bias' is \[3\]/,
  );
});

describe.each(runs)('three steps of %s against PyTorch, %s', (_name, _place, rule, run, digits) => {
  it.each(cases)('%s: gradients %s', async (key, _what, clipping) => {
    const parameters = parametersOf(rule);
    const graph = updateGraph(parameters, { ...fixture.options, ...clipping });
    let state: Tensors = Object.fromEntries(
      parameters.flatMap((parameter) => {
        const { path, shape } = parameter;
        const zeros = { shape, data: fixture.start[path]!.map(() => 0) };
        return [
          [path, { shape, data: fixture.start[path]! }],
          ...momentNames(parameter).map((name) => [name, zeros] as const),
        ];
      }),
    );
    for (const [i, { weight, rates, gradients }] of fixture.steps.entries()) {
      const scalar = (value: number) => ({ shape: [], data: [value] });
      const results = await run(graph, {
        ...state,
        ...Object.fromEntries(
          names.map((path) => [
            stateNames(path).gradient,
            { shape: fixture.shapes[path]!, data: gradients[path]! },
          ]),
        ),
        ...Object.fromEntries(
          Object.entries(rates).map(([group, rate]) => [`learning_rate:${group}`, scalar(rate)]),
        ),
        ...Object.fromEntries(
          Object.entries(updateScalars(i + 1, weight, fixture.options)).map(([name, value]) => [
            name,
            scalar(value),
          ]),
        ),
      });
      const expected = fixture.cases[rule][key]![i]!;
      for (const [group, norm] of Object.entries(expected.norms))
        expect(results[group ? `gradient_norm:${group}` : 'gradient_norm']!.data[0]! / norm).toBeCloseTo(
          1,
          digits,
        );
      state = Object.fromEntries(Object.keys(state).map((name) => [name, results[nextName(name)]!]));
      for (const path of names)
        for (const [at, value] of expected.values[path]!.entries())
          expect(Number(state[path]!.data[at]), `${path} ${at}`).toBeCloseTo(value, digits);
    }
  });
});
