import { namedParameters } from '@weft/graph';
import { part, type Model } from '@weft/spec';
import { planStage, type PlannedParameter, type Stage, type StageParameter } from './stage.js';

/**
 * Every parameter of a model with its path, shape and part: `encoder`, `connector`, `arranger`, `backbone`, and `fusion`
 * for the layers that the fusion added to the backbone.
 */
export function listParameters(model: Model): StageParameter[] {
  const { layers } = part(model, 'backbone');
  const partOf = new Map(
    [
      ...Object.entries(model.module.parts),
      ...model.added.map((layer) => ['fusion', layers[layer]!] as const),
    ].flatMap(([name, tree]) => [...namedParameters(tree).values()].map((p) => [p, name] as const)),
  );
  return [...namedParameters(model.module)].map(([path, parameter]) => ({
    path,
    shape: parameter.shape,
    part: partOf.get(parameter)!,
  }));
}

const elements = (list: readonly StageParameter[]): number =>
  list.reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0);

/** What learns in a stage, as a table to print: one line for each part. */
export function describeStage(model: Model, stage: Stage): string {
  const all = listParameters(model);
  const planned = new Map(planStage(stage, all).map((p) => [p.path, p]));
  const rows = [...new Set([...Object.keys(model.module.parts), ...all.map(({ part }) => part)])].map(
    (name) => {
      const members = all.filter((p) => p.part === name);
      const learning = members.flatMap((p) => planned.get(p.path) ?? []);
      const rates = [...new Set(learning.map((p: PlannedParameter) => p.learningRate.toExponential(1)))];
      const state =
        learning.length === 0
          ? 'frozen'
          : learning.length === members.length
            ? 'trainable'
            : 'partly trainable';
      return [name, group(elements(members)), group(elements(learning)), state, rates.join(', ') || '-'];
    },
  );
  const total = ['total', group(elements(all)), group(elements([...planned.values()])), '', ''];
  return table([['part', 'parameters', 'trainable', 'state', 'learning rate'], ...rows, total]);
}

const group = (count: number): string => count.toLocaleString('en-US');

/** Columns padded to one width; numbers to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const isNumber = (cell: string) => /^[\d,]+$/.test(cell);
  return rows
    .map((row) =>
      row
        .map((cell, i) => (isNumber(cell) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
