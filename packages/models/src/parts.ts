import { ConfigError, type TakeNotice } from '@weft/errors';
import type { Json, PartDefinition, PartEntry, PartKind } from '@weft/spec';
import { catalog } from './catalog.js';

/** Where parts come from beside the catalog. */
export interface PartSources {
  /** Definitions of parts that are not in the catalog, or that take the place of one that is: they come first. */
  readonly parts?: readonly PartDefinition[] | undefined;
  /** Takes what files say and the model does not apply. */
  readonly notice?: TakeNotice | undefined;
  /** Imports a package that a saved configuration names; `import` of this file's place unless given. */
  readonly importPackage?: ((name: string) => Promise<Readonly<Record<string, unknown>>>) | undefined;
}

/** The definition of a part of a kind. Its configuration is data, which `create` checks. */
export type FoundDefinition<K extends PartKind> = PartDefinition<K, Json>;

/**
 * The definition of a part by its id, or by what published files call it: of those given, else of the package that the
 * saved configuration names, else of the catalog.
 *
 * @param named package of the part as the saved configuration has it; the catalog's own needs no looking for
 * @throws ConfigError if there is none, or if its package is not installed, naming the command that installs it
 */
export async function findDefinition<K extends PartKind>(
  kind: K,
  idOrType: string,
  sources: PartSources = {},
  named?: string,
): Promise<FoundDefinition<K>> {
  const isMeant = (part: Pick<PartDefinition, 'kind' | 'id' | 'types'>): boolean =>
    part.kind === kind && (part.id === idOrType || (part.types ?? []).includes(idOrType));
  const what = `${kind} '${idOrType}'`;
  const entry = catalog.find(isMeant);
  const [given, ...others] = (sources.parts ?? []).filter(isMeant);
  if (others.length > 0)
    throw new ConfigError({
      message: `${others.length + 1} of the parts that were given are called ${what}.`,
      hint: 'Leave all but one of them out.',
    });
  const found =
    given ??
    (named === undefined || named === entry?.package
      ? await loadEntry(entry, what)
      : await definitionIn(named, isMeant, what, sources));
  if (found) return found as unknown as FoundDefinition<K>;
  throw new ConfigError({
    message: `config.json: there is no ${what}.`,
    hint: `Known: ${[...knownNames(kind, sources), ...knownTypes(kind, sources)].join(', ')}. Parts of other packages are given as { parts }, or named by "package".`,
  });
}

/** Whether the definition of a part is at hand, without a package that a configuration names. */
export const isKnownPart = (kind: PartKind, id: string, { parts = [] }: PartSources = {}): boolean =>
  [...parts, ...catalog].some((part) => part.kind === kind && part.id === id);

/** Whether a part comes from a package of the catalog: those name no home, and need none. */
export const isOfCatalog = ({ package: home }: { readonly package?: string | undefined }): boolean =>
  home === undefined || catalog.some((part) => part.package === home);

/** Whether there is a part of the kind that published files call so. */
export const isKnownType = (kind: PartKind, type: string, { parts = [] }: PartSources = {}): boolean =>
  [...parts, ...catalog].some((part) => part.kind === kind && (part.types ?? []).includes(type));

/** What published files call the parts of a kind. */
export const knownTypes = (kind: PartKind, { parts = [] }: PartSources = {}): string[] => [
  ...new Set([...parts, ...catalog].flatMap((part) => (part.kind === kind ? (part.types ?? []) : []))),
];

const knownNames = (kind: PartKind, { parts = [] }: PartSources): string[] => [
  ...new Set([...parts, ...catalog].flatMap((part) => (part.kind === kind ? [part.id] : []))),
];

/** The catalog's parts of a kind. */
export const entriesOf = (kind: PartKind): readonly PartEntry[] =>
  catalog.filter((part) => part.kind === kind);

async function loadEntry(entry: PartEntry | undefined, what: string): Promise<PartDefinition | undefined> {
  if (!entry) return undefined;
  try {
    return await entry.load();
  } catch (error) {
    throw importError(what, [entry.package], error);
  }
}

/** Packages among these of the catalog that cannot be imported. */
export async function missingPackages(packages: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const name of packages)
    try {
      await catalog.find((part) => part.package === name)?.load();
    } catch (error) {
      if (missingImport(error)?.name === name) missing.push(name);
    }
  return missing;
}

/** What an import did not find, and for whom; bundlers say so before anything runs. */
function missingImport(error: unknown): { readonly name: string; readonly from: string } | undefined {
  const { code, message = '' } = (error ?? {}) as { readonly code?: unknown; readonly message?: string };
  if (code !== 'ERR_MODULE_NOT_FOUND') return undefined;
  const [, name, from = ''] = /^Cannot find \w+ '([^']*)'(?: imported from (.*))?/.exec(message) ?? [];
  return name === undefined ? undefined : { name, from };
}

/**
 * The error for an import of packages that failed: that one of them is not installed, or that one is, but not what it
 * needs itself. Other errors are those of the package's code and stay.
 */
export function importError(what: string, packages: readonly string[], error: unknown): unknown {
  const missing = missingImport(error);
  if (!missing) return error;
  const { name, from } = missing;
  if (packages.includes(name)) return notInstalled(what, packages, error);
  return new ConfigError({
    message: `The ${what} needs ${packages.join(' and ')}, in which an import fails: there is no '${name}'.`,
    where: from || undefined,
    hint: packageName.test(name)
      ? `npm install ${name}`
      : `The installed files are not complete: npm install --force ${packages.join(' ')}`,
    cause: error,
  });
}

/** @param more what else there is to do than the command */
export const notInstalled = (
  what: string,
  packages: readonly string[],
  cause: unknown,
  more = '',
): ConfigError =>
  new ConfigError({
    message: `The ${what} needs ${packages.join(' and ')}, which ${packages.length === 1 ? 'is' : 'are'} not installed.`,
    hint: `npm install ${packages.join(' ')}${more}`,
    cause,
  });

/** Names that npm allows: no path, no address, no module of Node's. */
const packageName = /^(?:@[a-z0-9][a-z0-9._~-]*\/)?[a-z0-9][a-z0-9._~-]*$/;

async function definitionIn(
  name: string,
  isMeant: (part: PartDefinition) => boolean,
  what: string,
  { importPackage = (specifier) => import(/* @vite-ignore */ specifier) }: PartSources,
): Promise<PartDefinition> {
  if (!packageName.test(name) || name.length > 214)
    throw new ConfigError({
      message: `config.json: '${name}' is no name of a package.`,
      hint: `The ${what} names its package as npm does, such as "encoder-mine" or "@me/encoder-mine".`,
    });
  const exported = await importPackage(name).catch((error: unknown) => {
    const missing = missingImport(error);
    if (missing?.name !== name) throw importError(what, [name], error);
    const place = missing.from === '' ? 'the project' : missing.from;
    throw notInstalled(
      what,
      [name],
      error,
      `, to be found from ${place}, or give its definition as { parts }`,
    );
  });
  const found = Object.values(exported).filter(isDefinition).find(isMeant);
  if (found) return found;
  throw new ConfigError({
    message: `The package ${name} defines no ${what}.`,
    hint: 'It exports a PartDefinition with that id, or another version of it does.',
  });
}

const isDefinition = (value: unknown): value is PartDefinition =>
  typeof value === 'object' &&
  value !== null &&
  'id' in value &&
  'kind' in value &&
  'create' in value &&
  typeof value.create === 'function';
