/** What commands get besides their arguments. */
export interface Context {
  /** Aborted by Ctrl-C. Results so far may still be written. */
  readonly signal: AbortSignal;
  /** Says that a check failed or a part of the work did not succeed: exit code 1. */
  readonly fail: () => void;
}
