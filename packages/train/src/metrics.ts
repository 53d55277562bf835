import { appendText, makeFolder } from '#backend';
import { files, writeFileAtomic } from '@weft/weights';

/** One line of `metrics.jsonl`. */
export interface Metric {
  readonly stage: string;
  readonly step: number;
  /** Mean over the supervised tokens. */
  readonly loss: number;
  readonly gradientNorms: Readonly<Record<string, number>>;
  readonly learningRates: Readonly<Record<string, number>>;
  /** Tokens of the update, padding left out. */
  readonly tokens: number;
  readonly milliseconds: number;
  /** Loss on held-out samples, after the updates at which it was measured. */
  readonly evaluation?: number;
}

const pathIn = (folder: string): string => files.join(folder, 'metrics.jsonl');

/** Lines of earlier steps; those after the state that a run goes on from are dropped. */
export async function openMetrics(folder: string, keep: (metric: Metric) => boolean): Promise<Metric[]> {
  await makeFolder(folder);
  const text = await files.readText(pathIn(folder)).catch(() => '');
  const metrics = text
    .split('\n')
    .flatMap((line): Metric[] => {
      try {
        return line ? [JSON.parse(line) as Metric] : [];
      } catch {
        // A crash may have cut the last line short.
        return [];
      }
    })
    .filter(keep);
  await writeFileAtomic(pathIn(folder), metrics.map((m) => `${JSON.stringify(m)}\n`).join(''));
  return metrics;
}

export const appendMetric = (folder: string, metric: Metric): Promise<void> =>
  appendText(pathIn(folder), `${JSON.stringify(metric)}\n`);

/** Loss over all updates as an SVG picture: every update faint, the running mean strong, evaluations as dots. */
export async function writeLossPlot(folder: string, metrics: readonly Metric[]): Promise<void> {
  if (metrics.length > 0) await writeFileAtomic(files.join(folder, 'loss.svg'), lossPlot(metrics));
}

const [width, height, left, right, top, bottom] = [720, 400, 56, 16, 32, 40];

/** @see writeLossPlot */
export function lossPlot(metrics: readonly Metric[]): string {
  const losses = metrics.flatMap((m) => [m.loss, ...(m.evaluation === undefined ? [] : [m.evaluation])]);
  const floor = Math.max(1e-6, Math.min(...losses.filter((loss) => loss > 0)));
  const [low, high] = [Math.log10(floor), Math.log10(Math.max(...losses, floor * 1.1))];
  const x = (i: number) => left + (i / Math.max(1, metrics.length - 1)) * (width - left - right);
  const y = (loss: number) =>
    top +
    (1 - (Math.log10(Math.max(loss, floor)) - low) / Math.max(1e-9, high - low)) * (height - top - bottom);
  const point = (i: number, loss: number) => `${x(i).toFixed(1)},${y(loss).toFixed(1)}`;
  let mean = metrics[0]!.loss;
  const smooth = metrics.map((m, i) => point(i, (mean = i === 0 ? m.loss : 0.95 * mean + 0.05 * m.loss)));
  const ticks = Array.from({ length: 5 }, (_, i) => 10 ** (low + ((high - low) * i) / 4));
  const stages = metrics.flatMap((m, i) =>
    i === 0 || metrics[i - 1]!.stage !== m.stage ? [{ name: m.stage, at: x(i) }] : [],
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#fff"/>
${ticks.map((t) => `<path d="M${left} ${y(t).toFixed(1)}H${width - right}" stroke="#ddd"/><text x="${left - 6}" y="${(y(t) + 4).toFixed(1)}" text-anchor="end" fill="#444">${t.toPrecision(2)}</text>`).join('\n')}
${stages.map((s) => `<path d="M${s.at.toFixed(1)} ${top}V${height - bottom}" stroke="#999" stroke-dasharray="4 4"/><text x="${(s.at + 4).toFixed(1)}" y="${top - 8}" fill="#444">${escape(s.name)}</text>`).join('\n')}
<polyline fill="none" stroke="#9ecae1" points="${metrics.map((m, i) => point(i, m.loss)).join(' ')}"/>
<polyline fill="none" stroke="#08519c" stroke-width="2" points="${smooth.join(' ')}"/>
${metrics.flatMap((m, i) => (m.evaluation === undefined ? [] : [`<circle cx="${x(i).toFixed(1)}" cy="${y(m.evaluation).toFixed(1)}" r="3" fill="#d94801"/>`])).join('\n')}
<text x="${width / 2}" y="${height - 10}" text-anchor="middle" fill="#444">${metrics.length} updates</text>
<text x="${left}" y="${height - 10}" fill="#444">loss, logarithmic; dots: held-out samples</text>
</svg>
`;
}

const escape = (text: string): string => text.replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`);
