import type { Metric } from './metrics.js';
import type { Stage } from './stage.js';

/** The part of a terminal stream that a bar needs. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/**
 * A progress bar with loss, throughput and time left. Where the stream is not a terminal it prints a line now and then.
 */
export function trainingProgress(stream: ProgressStream): (metric: Metric, stage: Stage) => void {
  let loss = Number.NaN;
  let rate = Number.NaN;
  let last = '';
  const smooth = (mean: number, value: number) => (Number.isNaN(mean) ? value : 0.95 * mean + 0.05 * value);
  return (metric, stage) => {
    if (metric.stage !== last) [loss, rate, last] = [Number.NaN, Number.NaN, metric.stage];
    loss = smooth(loss, metric.loss);
    rate = smooth(rate, metric.milliseconds);
    const { step } = metric;
    const left = Math.round(((stage.steps - step) * rate) / 1000);
    const speed = Math.round(metric.tokens / (rate / 1000));
    const text = `${stage.name} ${step}/${stage.steps}  loss ${loss.toFixed(4)}  ${speed} tokens/s  ${clock(left)} left`;
    if (stream.isTTY) {
      const size = Math.max(10, Math.min(30, (stream.columns ?? 80) - text.length - 4));
      const done = Math.round((step / stage.steps) * size);
      stream.write(
        `\r[${'#'.repeat(done)}${'-'.repeat(size - done)}] ${text}\x1b[K${step >= stage.steps ? '\n' : ''}`,
      );
    } else if (step === 1 || step % 50 === 0 || step >= stage.steps) stream.write(`${text}\n`);
  };
}

const clock = (seconds: number): string => {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}h${`${m}`.padStart(2, '0')}m` : m > 0 ? `${m}m${`${s}`.padStart(2, '0')}s` : `${s}s`;
};
