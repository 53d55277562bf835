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
