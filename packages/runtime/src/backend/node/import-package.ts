import { access, readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError, parseJson, reasonOf } from '@weft/errors';

/**
 * Imports a package that a saved configuration names, from the user's project: that of the working directory, or else
 * where this package lies. A configuration may come from anywhere, so only what somebody installed is imported: no module
 * of Node's, and nothing that lies in a checkpoint's own folder.
 *
 * @param from folder whose packages come first, and those of the folders above it
 * @throws ConfigError if the name is that of a module of Node's, or the package has nothing to import
 * @throws Error with the code `ERR_MODULE_NOT_FOUND`, as `import` does, if there is no such package
 */
export async function importPackage(
  name: string,
  from: string = process.cwd(),
): Promise<Readonly<Record<string, unknown>>> {
  if (isBuiltin(name))
    throw new ConfigError({
      message: `config.json: '${name}' is a module of Node's, not a package.`,
      hint: 'A part names the package that defines it, such as "encoder-mine".',
    });
  const found = await entryOf(name, from);
  if (found !== undefined) return (await import(pathToFileURL(found).href)) as Record<string, unknown>;
  try {
    return (await import(name)) as Record<string, unknown>;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.startsWith(`Cannot find package '${name}'`)) throw error;
    const missing = new Error(`Cannot find package '${name}' imported from ${from}`, { cause: error });
    throw Object.assign(missing, { code });
  }
}

/** Whether a folder is a checkpoint: its configuration must not bring the code that it names. */
const isCheckpoint = async (folder: string): Promise<boolean> =>
  /"model_type"/.test(await readFile(join(folder, 'config.json'), 'utf8').catch(() => ''));

/**
 * The file that `import` takes of a package in the nearest `node_modules` that has it. Node 20 resolves what `import`
 * means only from the importing file itself, and `require` does not see packages that can only be imported.
 */
async function entryOf(name: string, from: string): Promise<string | undefined> {
  const folder = join(from, 'node_modules', name);
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined);
  if (text === undefined || (await isCheckpoint(from)))
    return dirname(from) === from ? undefined : entryOf(name, dirname(from));
  const { exports, main } = manifestOf(text, join(folder, 'package.json'));
  const entry =
    exports === undefined || exports === null ? await mainOf(folder, main) : targetOf(rootOf(exports));
  if (typeof entry === 'string' && !entry.split('/').includes('..')) return join(folder, entry);
  throw new ConfigError({
    message: `The package ${name} has nothing to import.`,
    where: join(folder, 'package.json'),
    hint: 'Its "exports" name a file under "." for the condition "import" or "default", or "main" names one.',
  });
}

function manifestOf(text: string, where: string): { readonly exports?: unknown; readonly main?: unknown } {
  try {
    return (parseJson(text) ?? {}) as { readonly exports?: unknown; readonly main?: unknown };
  } catch (cause) {
    throw new ConfigError({
      message: `The package's package.json is not valid JSON: ${reasonOf(cause)}.`,
      where,
      hint: 'Install the package again.',
      cause,
    });
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What `exports` says of the package itself: all of it, unless it lists subpaths. */
const rootOf = (exports: unknown): unknown =>
  isRecord(exports) && Object.keys(exports).some((key) => key.startsWith('.')) ? exports['.'] : exports;

const conditions: readonly string[] = ['node', 'import', 'default'];

/** The first target whose conditions all hold; `null` where the package forbids it. */
function targetOf(value: unknown): string | null | undefined {
  if (value === null) return null;
  if (typeof value === 'string') return value.startsWith('./') ? value : undefined;
  const choices = Array.isArray(value)
    ? (value as readonly unknown[])
    : isRecord(value)
      ? Object.keys(value).flatMap((key) => (conditions.includes(key) ? [value[key]] : []))
      : [];
  for (const choice of choices) {
    const target = targetOf(choice);
    if (target !== undefined) return target;
  }
  return undefined;
}

async function mainOf(folder: string, main: unknown): Promise<string | undefined> {
  const own = typeof main === 'string' ? [main, `${main}.js`, `${main}/index.js`] : [];
  for (const file of [...own, 'index.js']) {
    const isFile = /\.[cm]?js$/.test(file);
    const exists = await access(join(folder, file)).then(
      () => true,
      () => false,
    );
    if (isFile && exists) return file;
  }
  return undefined;
}
