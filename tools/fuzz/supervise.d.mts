/** What became of a case. */
export interface Outcome {
  readonly kind: string;
  readonly what?: string;
  readonly name?: string;
  readonly message: string;
  readonly frame?: string;
}

export interface OutcomeGroup {
  readonly outcome: Outcome;
  readonly number: number;
  readonly examples: readonly { readonly i: number; readonly what?: string }[];
}

export interface Limits {
  readonly processorMs?: number;
  readonly clockMs?: number;
  readonly startMs?: number;
  readonly memoryMb?: number;
}

export function supervise(
  fuzzer: URL,
  options: Limits & {
    readonly count: number;
    readonly first?: number;
    readonly onOutcome?: (i: number, outcome: Outcome) => void;
    readonly onProgress?: (done: number, counts: Readonly<Record<string, number>>) => void;
  },
): Promise<{
  readonly counts: Readonly<Record<string, number>>;
  readonly groups: readonly OutcomeGroup[];
  readonly faults: readonly OutcomeGroup[];
}>;
