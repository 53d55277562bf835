import { readFile } from 'node:fs/promises';
import { ShapeError, WeftError } from '@weft/errors';
import { isFloat, makeGraph, namedParameters, type Graph, type Part } from '@weft/graph';
import type { Component } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { checkTargets } from './agreement.js';
import { probe } from './check-op.js';
import { describeGraph, rebuild } from './describe-graph.js';
import { checkGolden, type Golden } from './golden.js';
import { checkGradients } from './gradients.js';
import { randomParameters, randomTensor } from './random.js';
import type { Tensors } from './tensor.js';

/** A published size and what it must add up to. */
export interface PublishedSize {
  readonly name: string;
  readonly create: () => Part;
  /** Numbers in all parameters. */
  readonly parameters: number;
  /** Tensors in the checkpoint. */
  readonly tensors?: number;
}

/** What every conformance suite can compare with the outside world. */
export interface PublishedChecks<C extends Part> {
  /** The published model that `checkpoint` describes. */
  readonly create?: () => C;
  /** JSON file with the shape of every tensor of the checkpoint by name. */
  readonly checkpoint?: URL;
  readonly sizes?: readonly PublishedSize[];
  readonly golden?: readonly Golden<C>[];
}

/** Names, shapes, totals and values against published models and the reference implementation. */
export function testPublished<C extends Part>({
  create,
  checkpoint,
  sizes = [],
  golden = [],
}: PublishedChecks<C>): void {
  if (create && checkpoint)
    it('has the names and shapes of the published checkpoint, no more and no fewer', async () => {
      const found = Object.fromEntries(
        [...namedParameters(create())].map(([path, { shape }]) => [path, [...shape]]),
      );
      expect(found).toEqual(JSON.parse(await readFile(checkpoint, 'utf8')));
    });

  if (sizes.length > 0)
    it.each(sizes)('$name adds up to $parameters parameters', ({ create: make, parameters, tensors }) => {
      const all = [...namedParameters(make()).values()];
      expect(all.reduce((sum, { elements }) => sum + elements, 0)).toBe(parameters);
      if (tensors !== undefined) expect(all).toHaveLength(tensors);
    });

  for (const one of golden)
    it(`gives the reference implementation's values (${one.file.pathname.split('/').at(-1)})`, async () => {
      expect(await checkGolden(one)).toBeLessThan(1e-5);
    });
}

/** The paper and the code that a part follows. */
export function testSource(make: () => Pick<Component, 'id' | 'source'>): void {
  it('names its paper, and its reference code at a fixed version', () => {
    const { id, source } = make();
    expect(id).toMatch(/^(encoder|connector|arranger|backbone|fusion)-[a-z0-9-]+$/);
    expect(source.paper).toMatch(/^https:\/\//);
    expect(source.code).toMatch(/^https:\/\/.*\/blob\/(v\d+\.\d+\.\d+|[0-9a-f]{40})\//);
  });
}

/** A model, how it is traced, and what it is run on. */
export interface Computation<M extends Part> {
  readonly model: M;
  readonly trace: (model: M) => Graph;
  readonly feeds: Tensors;
  /** The output whose gradients are checked. */
  readonly output: string;
  /** Why parameters under these paths are in the model though nothing reads them. */
  readonly unread?: Unread | undefined;
}

/** Paths in a part, such as `post_layernorm`, and why no output depends on the parameters there. */
export type Unread = Readonly<Record<string, string>>;

/** Everything that must hold for the graph of any part. */
export function testComputation<M extends Part>(make: () => Computation<M>): void {
  describe('its graph', () => {
    it('depends on every parameter, except for those that are kept for a reason', () => {
      const { model, trace, unread = {} } = make();
      const { parameters } = trace(model);
      const without = [...namedParameters(model).keys()].filter((path) => !parameters.has(path));
      const reasons = Object.keys(unread);
      const isAt = (path: string, reason: string): boolean => `.${path}.`.includes(`.${reason}.`);
      expect(without.filter((path) => !reasons.some((reason) => isAt(path, reason)))).toEqual([]);
      expect(reasons.filter((reason) => !without.some((path) => isAt(path, reason)))).toEqual([]);
    });

    it('means the same in every target', async () => {
      const { model, trace, feeds } = make();
      await checkTargets(trace(model), feeds, randomParameters(model, 7));
    });

    it('has the gradients of finite differences, for parameters and inputs', async () => {
      const { model, trace, feeds, output } = make();
      const parameters = randomParameters(model, 8);
      const traced = trace(model);
      const result = await checkTargets(makeGraph({ [output]: traced.outputs[output]! }), feeds, parameters);
      const graph = makeGraph({ loss: probe(traced, output).outputs['loss']! });
      const inputs = [...graph.inputs]
        .filter(([name, value]) => name !== 'probe' && isFloat(value.dtype))
        .map(([name]) => name);
      const probed = { ...feeds, probe: randomTensor(result[output]!.shape, 9) };
      await checkGradients(graph, 'loss', [...graph.parameters.keys(), ...inputs], probed, parameters, {
        entries: 2,
      });
    });

    it('is the same after every module was rebuilt from copied parts', () => {
      const { model, trace } = make();
      const copy = rebuild(model);
      expect(describeGraph(trace(copy))).toEqual(describeGraph(trace(model)));
      expect([...namedParameters(copy).keys()]).toEqual([...namedParameters(model).keys()]);
    });
  });
}

/** Checks that an error is a `ShapeError` that says which module refused. */
export function expectShapeError(body: () => unknown, where: RegExp): void {
  let caught: unknown;
  try {
    body();
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(WeftError);
  expect((caught as WeftError).name).toBe(ShapeError.name);
  expect((caught as WeftError).message).toMatch(where);
}
