import type { Part } from '@weft/graph';
import type { Component } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { checkTargets } from './agreement.js';
import type { Computation } from './conformance.js';
import { describeGraph } from './describe-graph.js';
import { shapesOf } from './golden.js';
import { randomParameters } from './random.js';

/** Parts like the tiny one with other options, by what is different. */
export type Variants<P> = Readonly<Record<string, () => P>>;

export interface VariantChecks<P> {
  readonly tiny: () => P;
  readonly variants: Variants<P>;
  /** Options that can have one value only, and why. */
  readonly fixed?: Readonly<Record<string, string>> | undefined;
  readonly computation: (part: P) => Pick<Computation<Part>, 'model' | 'trace' | 'feeds'>;
}

/**
 * That every option of a part is run: each field of its configuration that is no size must have two values among the
 * parts, each variant must compute something else than the tiny part, and the same in every target. Sizes, which are
 * positive integers in all of them, show in the shapes of parameters, and those are compared with published ones.
 */
export function testVariants<P extends Pick<Component, 'config'>>({
  tiny,
  variants,
  fixed = {},
  computation,
}: VariantChecks<P>): void {
  describe('with other options', () => {
    it('is run with every option', () => {
      const configs = [tiny, ...Object.values(variants)].map((create) => create().config);
      expect(untriedOptions(configs), 'options that have one value in all variants').toEqual(
        Object.keys(fixed),
      );
    });

    it.each(Object.entries(variants))(
      'is something else, and means the same in every target: %s',
      async (_, create) => {
        const { model, trace, feeds } = computation(create());
        const graph = trace(model);
        const plain = computation(tiny());
        expect([shapesOf(model), describeGraph(graph)]).not.toEqual([
          shapesOf(plain.model),
          describeGraph(plain.trace(plain.model)),
        ]);
        await checkTargets(graph, feeds, randomParameters(model, 70));
      },
    );
  });
}

/** Fields that are no sizes and have one value in all configurations; one that is left out has a value of its own. */
function untriedOptions(configs: readonly Readonly<Record<string, unknown>>[]): string[] {
  const fields = [...new Set(configs.flatMap((config) => Object.keys(config)))];
  return fields.filter((field) => {
    const values = configs.map((config) => config[field]);
    const isSize = values.every((value) => Number.isInteger(value) && (value as number) > 0);
    return !isSize && new Set(values.map((value) => JSON.stringify(value))).size < 2;
  });
}
