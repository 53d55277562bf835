import type { Keywords, Value } from './values.js';

/** What filters and tests see of the rendering that calls them. */
export interface Environment {
  /** Whether printed text is escaped, as within `autoescape true`. */
  readonly autoescape: boolean;
  readonly hasFilter: (name: string) => boolean;
  readonly hasTest: (name: string) => boolean;
  readonly filter: (name: Value, value: Value, args: readonly Value[], keywords: Keywords) => Value;
  readonly test: (name: Value, value: Value, args: readonly Value[], keywords: Keywords) => Value;
}

/** A filter or test: its value comes first among the arguments. */
export type EnvironmentFunction = (
  environment: Environment,
  args: readonly Value[],
  keywords: Keywords,
) => Value;
