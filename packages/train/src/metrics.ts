import { appendText, makeFolder } from '#backend';
import { parseJson } from '@weft/errors';
import { files, writeFileAtomic } from '@weft/weights';
import { lossPlot } from './loss-plot.js';
import type { Metric } from './metric.js';

const pathIn = (folder: string): string => files.join(folder, 'metrics.jsonl');

/** Lines of earlier steps; those after the state that a run goes on from are dropped. */
export async function openMetrics(folder: string, keep: (metric: Metric) => boolean): Promise<Metric[]> {
  await makeFolder(folder);
  const text = await files.readText(pathIn(folder)).catch((error: unknown) => {
    if (files.isMissing(error)) return '';
    throw error;
  });
  const metrics = text.split('\n').flatMap((line) => {
    const metric = readMetric(line);
    return metric && keep(metric) ? [metric] : [];
  });
  await writeFileAtomic(pathIn(folder), metrics.map((m) => `${JSON.stringify(m)}\n`).join(''));
  return metrics;
}

/** A line of the file, unless a crash cut it short. */
function readMetric(line: string): Metric | undefined {
  let value: Partial<Metric> | null;
  try {
    value = parseJson(line) as Partial<Metric> | null;
  } catch {
    return undefined;
  }
  const { stage, step, loss, evaluation } = value ?? {};
  const isKnown =
    typeof stage === 'string' &&
    Number.isFinite(step) &&
    Number.isFinite(loss) &&
    (evaluation === undefined || Number.isFinite(evaluation));
  return isKnown ? (value as Metric) : undefined;
}

export const appendMetric = (folder: string, metric: Metric): Promise<void> =>
  appendText(pathIn(folder), `${JSON.stringify(metric)}\n`);

/** Loss over all updates as the SVG picture `loss.svg`. @see lossPlot */
export async function writeLossPlot(folder: string, metrics: readonly Metric[]): Promise<void> {
  if (metrics.length > 0) await writeFileAtomic(files.join(folder, 'loss.svg'), lossPlot(metrics));
}
