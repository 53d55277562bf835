import { differentiate, gradientName } from '@weft/autodiff';
import { add, floor, input, makeGraph, mul, reduceSum } from '@weft/graph';
import { describe, expect, it } from 'vitest';
import { interpret } from './interpret.js';

const f32 = { dtype: 'float32', shape: [3] } as const;
const feeds = { x: { shape: [3], data: [1, -2, 3] }, z: { shape: [3], data: [4, 5, 6] } };

describe('differentiate', () => {
  const [x, z] = [input('x', f32), input('z', f32)];

  it('adds up the gradients of all uses', () => {
    const graph = differentiate(makeGraph({ loss: reduceSum(add(mul(x, x), mul(x, z))) }), 'loss', [
      'x',
      'z',
    ]);
    const results = interpret(graph, feeds);
    expect([...results[gradientName('x')]!.data]).toEqual([6, 1, 12]);
    expect([...results[gradientName('z')]!.data]).toEqual([1, -2, 3]);
  });

  it('gives zeros where the loss does not depend on what is wanted', () => {
    const graph = differentiate(makeGraph({ loss: reduceSum(x), y: z }), 'loss', ['z']);
    expect([...interpret(graph, feeds)[gradientName('z')]!.data]).toEqual([0, 0, 0]);
  });

  it('gives zeros through steps, which are flat', () => {
    const graph = differentiate(makeGraph({ loss: reduceSum(add(floor(x), z)) }), 'loss', ['x', 'z']);
    expect([...interpret(graph, feeds)[gradientName('x')]!.data]).toEqual([0, 0, 0]);
  });

  it('differentiates twice', () => {
    const once = differentiate(makeGraph({ loss: reduceSum(mul(mul(x, x), x)) }), 'loss', ['x']);
    const sum = makeGraph({ loss: reduceSum(once.outputs[gradientName('x')]!) });
    expect([...interpret(differentiate(sum, 'loss', ['x']), feeds)[gradientName('x')]!.data]).toEqual([
      6, -12, 18,
    ]);
  });
});
