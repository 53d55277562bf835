import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import stored from '../../models/verified.json' with { type: 'json' };

const folder = fileURLToPath(new URL('../../models/__fixtures__/', import.meta.url));

/** Folder of a tiny checkpoint made by the reference implementation. */
export const fixture = (name: string): string => `${folder}${name}`;

/** Names of all tiny checkpoints that have golden outputs. */
export const fixtureNames: readonly string[] = readdirSync(folder).toSorted();

/** Largest differences of earlier runs, by folder and check; `node tools/write-tables.mjs` writes them. */
export const storedDifferences = (name: string): Readonly<Record<string, number>> | undefined =>
  (stored as Readonly<Record<string, { readonly differences: Readonly<Record<string, number>> }>>)[name]
    ?.differences;

/** Another processor adds up in another order: four times the stored figure, and never less than 5e-6. */
export const bound = (figure: number): number => Math.max(4 * figure, 5e-6);
