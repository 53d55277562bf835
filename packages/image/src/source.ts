import { InputError } from '@weft/errors';

/** Where an encoded image comes from: a path, a `file:` or `data:` URL, or its bytes. */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | Blob;

/** Limits of reading, and how files are read on this machine. */
export interface ReadOptions {
  /** Largest file accepted, bytes. */
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
  /** The bytes behind a path or a `file:` URL; `name` is for messages. */
  readonly readPath: (path: string, name: string, options: ReadOptions) => Promise<Uint8Array>;
}

/** A short name of the source for messages. */
export function sourceName(source: ImageSource): string {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer)
    return `a buffer of ${source.byteLength} bytes`;
  if (source instanceof Blob) return `a blob of ${source.size} bytes`;
  const text = String(source);
  if (/^data:/i.test(text)) return `the URL ${text.slice(0, Math.min(text.indexOf(',') + 1 || 40, 40))}…`;
  return text;
}

/**
 * Reads the bytes of an encoded image. The size is checked before anything is read.
 *
 * @throws InputError when there is nothing to read, it is too large, or it lies on the network
 */
export async function readSource(source: ImageSource, options: ReadOptions): Promise<Uint8Array> {
  const name = sourceName(source);
  const bytes = await bytesOf(source, name, options);
  requireSmall(name, bytes.byteLength, options.maxBytes);
  if (bytes.byteLength === 0) throw emptyError(name);
  return bytes;
}

async function bytesOf(source: ImageSource, name: string, options: ReadOptions): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof Blob) {
    requireSmall(name, source.size, options.maxBytes);
    return new Uint8Array(await source.arrayBuffer());
  }
  if (typeof source !== 'string' && !(source instanceof URL))
    throw new InputError({
      message: `An image is a path, a URL, bytes or a Blob, found ${source === null ? 'null' : typeof source}.`,
      hint: 'Pixels that are decoded already go to raster().',
    });
  const text = String(source);
  if (/^https?:/i.test(text))
    throw new InputError({
      message: `${name} is on the network, and only local images are read.`,
      hint: 'Download it first and give the path of the file; in code, its bytes will do: await (await fetch(url)).arrayBuffer().',
    });
  if (/^data:/i.test(text)) return dataUrlBytes(text, name, options.maxBytes);
  return options.readPath(text, name, options);
}

function dataUrlBytes(url: string, name: string, maxBytes: number): Uint8Array {
  const comma = url.indexOf(',');
  if (comma < 0)
    throw new InputError({
      message: `${name} has no comma before its data.`,
      hint: 'Write data:image/png;base64,… .',
    });
  // Base64 makes 4 characters of 3 bytes; percent signs make 3 characters of 1.
  requireSmall(name, (url.length - comma - 1) / 4, maxBytes);
  const body = url
    .slice(comma + 1)
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  if (!/;\s*base64\s*$/i.test(url.slice(0, comma))) return latin1(body);
  try {
    // Addresses may use the alphabet that is safe in URLs, and leave out the padding.
    return latin1(atob(body.replace(/[-_]/g, (mark) => (mark === '-' ? '+' : '/')).replace(/=+\s*$/, '')));
  } catch (cause) {
    throw new InputError({
      message: `${name} is not written in base64 after its comma.`,
      hint: 'Encode the bytes of the image file again.',
      cause,
    });
  }
}

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

export function emptyError(name: string): InputError {
  return new InputError({
    message: `${name} is empty.`,
    hint: 'Check how the image was written or downloaded.',
  });
}

/** @throws InputError when there are more bytes than allowed */
export function requireSmall(name: string, bytes: number, maxBytes: number): void {
  if (bytes > maxBytes)
    throw new InputError({
      message: `${name} has ${Math.ceil(bytes)} bytes, more than the ${maxBytes} allowed.`,
      hint: 'Make the image smaller, or raise maxBytes.',
    });
}
