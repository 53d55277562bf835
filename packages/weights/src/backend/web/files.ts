import type { Files } from '../files.js';

/** The answer of a server that is not the file that was asked for. */
class FetchError extends Error {
  constructor(
    url: string,
    readonly status: number,
  ) {
    super(`${url} answered with the status ${status}`);
    this.name = 'FetchError';
  }
}

// Servers of apps answer whoever would take any type with their page in the place of a missing file.
const accept = 'application/json, application/octet-stream, text/plain';

async function fetched(
  url: string,
  {
    method = 'GET',
    headers = {},
  }: { readonly method?: string; readonly headers?: Record<string, string> } = {},
): Promise<Response> {
  const response = await fetch(url, { method, headers: { accept, ...headers } });
  if (!response.ok) throw new FetchError(url, response.status);
  return response;
}

const withoutSlash = (path: string): string => path.replace(/\/+$/, '');
/** The address in full; relative ones start at the page or worker. */
const resolve = (path: string, from?: string): string =>
  new URL(
    path,
    from === undefined
      ? (globalThis as { readonly location?: { readonly href: string } }).location?.href
      : `${withoutSlash(resolve(from))}/`,
  ).href;
const isMissing = (error: unknown): boolean =>
  error instanceof FetchError && [404, 410].includes(error.status);

async function sizeOf(url: string): Promise<number> {
  const { headers } = await fetched(url, { method: 'HEAD' });
  const length = headers.get('content-length');
  // Encoded answers state the length of the encoding.
  if (length !== null && !headers.get('content-encoding')) return Number(length);
  return (await (await fetched(url)).arrayBuffer()).byteLength;
}

/** Addresses on a server, read in ranges of bytes. */
export const files: Files = {
  resolve,
  join: (folder, name) => `${withoutSlash(folder)}/${name}`,
  basename: (path) => withoutSlash(path).split('/').at(-1)!,
  dirname: (path) => withoutSlash(path).split('/').slice(0, -1).join('/'),
  relative: (folder, path) => {
    const start = `${withoutSlash(folder)}/`;
    return path.startsWith(start) ? path.slice(start.length) : undefined;
  },
  realpath: async (path) => resolve(path),
  // A server does not tell folders from files: names of files end in a type.
  kindOf: async (path) => {
    if (!/\.(safetensors|jsonl?|txt|png|jpe?g|webp|gif|avif|tiff?)$/.test(path)) return 'folder';
    await fetched(path, { method: 'HEAD' });
    return 'file';
  },
  exists: (path) =>
    fetched(path, { method: 'HEAD' }).then(
      () => true,
      (error: unknown) => {
        if (isMissing(error)) return false;
        throw error;
      },
    ),
  list: async () => undefined,
  open: async (path) => {
    const size = await sizeOf(path);
    return {
      size,
      read: async (into, offset) => {
        const end = Math.min(size, offset + into.byteLength);
        if (end <= offset) return 0;
        const response = await fetched(path, { headers: { range: `bytes=${offset}-${end - 1}` } });
        const bytes = new Uint8Array(await response.arrayBuffer());
        // Servers may ignore ranges and send the whole file.
        const part = response.status === 206 ? bytes : bytes.subarray(offset, end);
        into.set(part.subarray(0, into.byteLength));
        return Math.min(part.byteLength, into.byteLength);
      },
      close: async () => undefined,
    };
  },
  readAll: async (path) => new Uint8Array(await (await fetched(path)).arrayBuffer()),
  readText: async (path) => (await fetched(path)).text(),
  isMissing,
};
