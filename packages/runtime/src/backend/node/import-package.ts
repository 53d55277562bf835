import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Imports a package that a saved configuration names, from the user's project: that of the working directory, or else
 * where this package lies.
 *
 * @param from folder whose packages come first
 */
export async function importPackage(
  name: string,
  from: string = process.cwd(),
): Promise<Readonly<Record<string, unknown>>> {
  const { resolve } = createRequire(join(from, 'package.json'));
  let found: string;
  try {
    found = resolve(name);
  } catch {
    return (await import(name)) as Record<string, unknown>;
  }
  return (await import(pathToFileURL(found).href)) as Record<string, unknown>;
}
