import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../models/__fixtures__/', import.meta.url));

/** Folder of a tiny checkpoint made by the reference implementation. */
export const fixture = (name: string): string => `${folder}${name}`;

/** Names of all tiny checkpoints that have golden outputs. */
export const fixtureNames: readonly string[] = readdirSync(folder).toSorted();
