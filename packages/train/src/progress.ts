import { printableLine } from '@weft/errors';
import type { Metric } from './metric.js';
import { movingMean } from './moving-mean.js';
import type { Stage } from './stage.js';

/** The part of a terminal stream that a bar needs. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/**
 * A progress bar with loss, the last loss on held-out samples, throughput and time left. Where the stream is not a terminal
 * it prints a line now and then, and whenever held-out samples were measured.
 */
export function trainingProgress(stream: ProgressStream): (metric: Metric, stage: Stage) => void {
  let [loss, rate] = [movingMean(), movingMean()];
  let last: string | undefined;
  let heldOut: number | undefined;
  return (metric, stage) => {
    if (metric.stage !== last)
      [loss, rate, last, heldOut] = [movingMean(), movingMean(), metric.stage, undefined];
    const [meanLoss, time] = [loss(metric.loss), rate(metric.milliseconds)];
    heldOut = metric.evaluation ?? heldOut;
    const { step } = metric;
    const left = Math.round(((stage.steps - step) * time) / 1000);
    const parts = [
      `${printableLine(stage.name)} ${step}/${stage.steps}`,
      `loss ${meanLoss.toFixed(4)}`,
      ...(heldOut === undefined ? [] : [`held-out ${heldOut.toFixed(4)}`]),
      `${Math.round(metric.tokens / (time / 1000))} tokens/s`,
      `${clock(left)} left`,
    ];
    const text = parts.join('  ');
    const isOver = step >= stage.steps;
    if (stream.isTTY)
      stream.write(`\r${barLine(text, step / stage.steps, stream.columns || 80)}\x1b[K${isOver ? '\n' : ''}`);
    else if (step === 1 || step % 50 === 0 || isOver || metric.evaluation !== undefined)
      stream.write(`${text}\n`);
  };
}

/** A bar before the text where there is room for one. A line that is too long would wrap, and each update add another. */
function barLine(text: string, share: number, columns: number): string {
  const room = columns - text.length - 4;
  if (room < 5) return text.length < columns ? text : `${text.slice(0, Math.max(1, columns - 2))}…`;
  const size = Math.min(30, room);
  const done = Math.round(Math.min(1, share) * size);
  return `[${'#'.repeat(done)}${'-'.repeat(size - done)}] ${text}`;
}

const clock = (seconds: number): string => {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}h${`${m}`.padStart(2, '0')}m` : m > 0 ? `${m}m${`${s}`.padStart(2, '0')}s` : `${s}s`;
};
