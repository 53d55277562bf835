import type { Parameter } from './parameter.js';

/** What a module may be made of. Keys are the names of the checkpoint, verbatim. */
export type Part = Parameter | AnyModule | null | readonly Part[] | { readonly [name: string]: Part };
/** The parts of a module, by name. */
export type Parts = Readonly<Record<string, Part>>;

/** Everything generic code may ask of a module. */
export interface AnyModule {
  /** Name of the idea, for example `Attention`. */
  readonly kind: string;
  readonly parts: Parts;
  /** Paths of parts that differ from their keys; an empty path adds no segment. */
  readonly paths: Readonly<Record<string, string>>;
  /** The same module over other parts. */
  readonly withParts: (parts: Parts) => AnyModule;
  /** The same module with other paths for some of its parts. */
  readonly withPaths: (paths: Readonly<Record<string, string>>) => AnyModule;
}
