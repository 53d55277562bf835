import { ConfigError } from '@weft/errors';

const nul = 0;

function bytesFromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new ConfigError({
      message: 'The table of characters is not valid base64.',
      where: 'tokenizer.json, normalizer.precompiled_charsmap',
      cause,
    });
  }
}

/**
 * The table of characters of a SentencePiece model: a double array (Darts) over the UTF-8 bytes of what is replaced,
 * behind its length as a 32-bit number, and then the replacements, each ended by a zero byte.
 *
 * @param base64 the table as tokenizer.json holds it
 * @returns the replacement of a text, found as Rust's `spm_precompiled` finds it: by the shortest entry that the text
 * begins with; undefined where none does
 * @throws {ConfigError} if the table is damaged
 */
export function precompiledCharsmap(base64: string): (text: string) => string | undefined {
  const bytes = bytesFromBase64(base64);
  const view = new DataView(bytes.buffer);
  const size = bytes.length < 4 ? -1 : view.getUint32(0, true);
  if (size < 0 || size % 4 !== 0 || 4 + size > bytes.length)
    throw new ConfigError({
      message: `The table of characters is cut off: it has ${bytes.length} bytes and names ${size} for its index.`,
      where: 'tokenizer.json, normalizer.precompiled_charsmap',
      hint: 'Download the file again.',
    });
  const units = Uint32Array.from({ length: size / 4 }, (_, at) => view.getUint32(4 + at * 4, true));
  const replacements = bytes.subarray(4 + size);
  const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  const indexOf = (key: Uint8Array): number | undefined => {
    let node = offset(units[0] ?? 0);
    for (const byte of key) {
      if (byte === nul) break;
      node ^= byte;
      const unit = units[node];
      // The top bit belongs to the label, so that values never pass for one.
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
      node ^= offset(unit);
      if ((unit >>> 8) & 1) return (units[node] ?? 0) & 0x7fffffff;
    }
    return undefined;
  };

  const known = new Map<string, string | undefined>();
  return (text) => {
    if (known.has(text)) return known.get(text);
    const index = indexOf(encoder.encode(text));
    const end = index === undefined ? -1 : replacements.indexOf(nul, index);
    const found =
      index === undefined
        ? undefined
        : decoder.decode(replacements.subarray(index, end < 0 ? undefined : end));
    known.set(text, found);
    return found;
  };
}
