import type { Json, PartKind } from '@weft/spec';
import { findDefinition } from './parts.js';

/**
 * The configuration of a part's published size; its package is imported to know it.
 *
 * @throws ConfigError if the package is not installed
 */
export async function sizeOf<C extends object>(kind: PartKind, id: string, preset: string): Promise<C> {
  const { presets } = await findDefinition(kind, id);
  return presets[preset] as C;
}

/**
 * The section of a `config.json` for a part's published size.
 *
 * @param changes fields of the configuration that differ
 */
export async function sectionOf(
  kind: PartKind,
  id: string,
  preset: string,
  changes: object = {},
): Promise<Json> {
  const { presets, write } = await findDefinition(kind, id);
  return write!({ ...presets[preset]!, ...changes })!;
}

/** The text section of a published size. */
export const textSection = (id: string, preset: string, changes: object = {}): Promise<Json> =>
  sectionOf('backbone', id, preset, changes);
