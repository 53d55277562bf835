import { WeightError } from '@weft/errors';
import { bytesPerElement, isSafetensorsDtype, type SafetensorsDtype } from './dtypes.js';
import { hiddenIn, type HiddenInText } from './json-text.js';

/** Largest header that the reference implementation accepts, in bytes. */
export const maxHeaderBytes = 100_000_000;

/** What the header says of one tensor. `begin` and `end` count bytes from the end of the header. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** A header of a safetensors file that was checked completely. */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their bytes, without gap or overlap. */
  readonly entries: readonly HeaderEntry[];
}

/** A name in quotes for a message: control characters escaped, long names cut. */
export const quoted = (name: string): string =>
  JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);

const cut = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}…` : text);

/** A value of the JSON text for a message, cut to size. */
export const shown = (value: unknown): string => {
  try {
    return cut(JSON.stringify(value) ?? 'nothing');
  } catch {
    // Nested too deeply or too large to be written as text, though it could be parsed.
    return 'a value that is too large to show';
  }
};

/** Number of elements of a shape, or undefined if a size is not a safe non-negative integer or the product is not. */
export const elementCount = (shape: readonly unknown[]): number | undefined => {
  if (!shape.every(isSize)) return undefined;
  // A zero anywhere makes the tensor empty, but the reference multiplies from left to right and refuses overflow.
  let product = 1;
  for (const size of shape) {
    product *= size;
    if (!Number.isSafeInteger(product)) return undefined;
  }
  return product;
};

/**
 * Parses and checks the JSON header of a safetensors file.
 *
 * @param bytes - the header without the eight bytes of its length
 * @param dataLength - bytes that follow the header in the file
 * @param file - path for messages
 * @throws WeightError that names the file, the tensor, what was found and what was expected
 */
export const parseHeader = (bytes: Uint8Array, dataLength: number, file: string): SafetensorsHeader => {
  const { json, number } = parseJson(bytes, file);
  let metadata: Readonly<Record<string, string>> = {};
  const entries: HeaderEntry[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = parseMetadata(value, file);
    else entries.push(parseEntry(name, value, dataLength, file));
  }
  if (number)
    throw new WeightError({
      message: `A number is written as ${cut(number.written)}, expected sizes and offsets of digits only.`,
      where: `${file}, tensor ${quoted(number.outerKey ?? '')}`,
      hint: mend,
    });
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkLayout(entries, dataLength, file);
  return { metadata, entries };
};

const mend = 'The file is damaged or was not written by a safetensors library. Download or convert it again.';

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const parseJson = (
  bytes: Uint8Array,
  file: string,
): { readonly json: Record<string, unknown>; readonly number: HiddenInText['number'] | undefined } => {
  if (bytes[0] !== 0x7b) {
    const found = bytes.length === 0 ? 'nothing' : `byte 0x${bytes[0]!.toString(16).padStart(2, '0')}`;
    throw new WeightError({
      message: `The header starts with ${found}, expected '{'.`,
      where: file,
      hint: mend,
    });
  }
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new WeightError({ message: 'The header is not UTF-8 text.', where: file, hint: mend, cause });
  }
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new WeightError({ message: 'The header is not a JSON object.', where: file, hint: mend, cause });
  }
  const { twice, half, number } = hiddenIn(text, { integers: ['shape', 'data_offsets'] });
  if (twice !== undefined || half !== undefined)
    throw new WeightError({
      message:
        twice === undefined
          ? `The header has the text ${cut(half!)} with half of a surrogate pair, expected text that UTF-8 can hold.`
          : `The header has the key ${quoted(twice)} twice, expected every name once.`,
      where: file,
      hint: mend,
    });
  // A text that starts with '{' and that JSON.parse accepts is an object.
  return { json: json as Record<string, unknown>, number };
};

const parseMetadata = (value: unknown, file: string): Readonly<Record<string, string>> => {
  // The reference writes none as nothing, and reads null as none.
  if (value === null) return {};
  if (!isRecord(value) || !Object.values(value).every((text) => typeof text === 'string')) {
    throw new WeightError({
      message: `__metadata__ is ${shown(value)}, expected an object whose values are strings.`,
      where: file,
      hint: mend,
    });
  }
  return value as Record<string, string>;
};

const parseEntry = (name: string, value: unknown, dataLength: number, file: string): HeaderEntry => {
  const fail = (message: string, hint = mend): never => {
    throw new WeightError({ message, where: `${file}, tensor ${quoted(name)}`, hint });
  };
  if (!isRecord(value)) return fail(`The entry is ${shown(value)}, expected an object.`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isSafetensorsDtype(dtype)) {
    return fail(
      `dtype is ${shown(dtype)}, expected a type of the format such as F32, F16, BF16 or I64.`,
      'Convert the checkpoint to such a type.',
    );
  }
  if (!Array.isArray(shape)) return fail(`shape is ${shown(shape)}, expected a list of sizes.`);
  const count = elementCount(shape);
  if (count === undefined) {
    return fail(`shape is ${shown(shape)}, expected sizes from 0 whose product is below 2^53.`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    return fail(`data_offsets is ${shown(offsets)}, expected two integers from 0.`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end) return fail(`data_offsets ends at ${end}, before it begins at ${begin}.`);
  if (end > dataLength) {
    return fail(
      `data_offsets ends at ${end}, but the file has ${dataLength} bytes of data.`,
      'The file is probably cut off. Download it again.',
    );
  }
  const expected = count * bytesPerElement(dtype);
  if (!Number.isInteger(expected)) {
    return fail(`${count} elements of ${dtype} end within a byte, expected a whole number of bytes.`);
  }
  if (end - begin !== expected) {
    return fail(
      `data_offsets spans ${end - begin} bytes, expected ${expected} for ${dtype} ${shown(shape)}.`,
    );
  }
  return { name, dtype, shape: shape as number[], begin, end };
};

const checkLayout = (entries: readonly HeaderEntry[], dataLength: number, file: string): void => {
  let covered = 0;
  let previous: HeaderEntry | undefined;
  for (const entry of entries) {
    if (entry.begin !== covered) {
      const before = previous ? `tensor ${quoted(previous.name)}` : 'the header';
      const message =
        entry.begin < covered
          ? `The data begins at ${entry.begin}, inside ${before} that ends at ${covered}.`
          : `The data begins at ${entry.begin}, but ${before} ends at ${covered}: ${entry.begin - covered} bytes belong to no tensor.`;
      throw new WeightError({ message, where: `${file}, tensor ${quoted(entry.name)}`, hint: mend });
    }
    covered = entry.end;
    previous = entry;
  }
  if (covered !== dataLength) {
    throw new WeightError({
      message: `The tensors end at ${covered}, but the file has ${dataLength} bytes of data: ${dataLength - covered} bytes belong to no tensor.`,
      where: file,
      hint: mend,
    });
  }
};
