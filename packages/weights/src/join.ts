import { UnsupportedError, WeightError } from '@weft/errors';
import { quoted } from './header.js';
import type { TensorEntry } from './safetensors.js';

/** Several tensors of a file that stand for one, such as packed numbers, their scales and zero points. */
export interface TensorJoin {
  /** Name that the whole would have as a tensor of its own. */
  readonly name: string;
  /** Shape of the whole. */
  readonly shape: readonly number[];
  /** How the pieces make up the whole, for the code that reads them: `gptq`, `awq`, …. */
  readonly form: string;
  /** What that code needs to know beside the tensors. */
  readonly settings?: unknown;
  /** Names of the tensors by what they are to the whole: `{ qweight: '….qweight', scales: '….scales' }`. */
  readonly pieces: Readonly<Record<string, string>>;
}

/** The joins of a file, given its tensors. Tensors that it does not name stay as they are. */
export type JoinTensors = (
  tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: readonly number[] }>,
) => readonly TensorJoin[];

/** A parameter that is stored as several tensors. */
export interface JoinedEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly form: string;
  readonly settings?: unknown;
  readonly pieces: Readonly<Record<string, TensorEntry>>;
}

/** Where the data of a parameter lies: in one tensor, or in several. */
export type WeightEntry = TensorEntry | JoinedEntry;

export const isJoined = (entry: WeightEntry): entry is JoinedEntry => 'pieces' in entry;

/** The one tensor of a parameter. @throws UnsupportedError naming the pieces if there are several */
export function wholeTensor(entry: WeightEntry): TensorEntry {
  if (!isJoined(entry)) return entry;
  throw new UnsupportedError({
    message: `The weight is stored as ${Object.keys(entry.pieces).join(', ')} (${entry.form}), where one tensor is expected.`,
    where: entry.name,
    hint: 'Convert the checkpoint to one tensor for each weight, in float32, float16 or bfloat16.',
  });
}

/**
 * The tensors of a file with some joined. No data is copied.
 *
 * @param path of the file, for messages
 * @throws WeightError naming the pieces that the file does not have, a tensor that is a piece twice, or two tensors that
 * get one name
 */
export function joinTensors(
  tensors: ReadonlyMap<string, TensorEntry>,
  join: JoinTensors,
  path: string,
): Map<string, WeightEntry> {
  const joins = join(tensors);
  const missing: string[] = [];
  const usedBy = new Map<string, string>();
  for (const { name, pieces } of joins)
    for (const [role, tensor] of Object.entries(pieces)) {
      const other = usedBy.get(tensor);
      if (other !== undefined)
        throw new WeightError({
          message: `The tensor ${quoted(tensor)} is a piece of both ${quoted(other)} and ${quoted(name)}.`,
          where: path,
        });
      usedBy.set(tensor, name);
      if (!tensors.has(tensor)) missing.push(`${name}\n      its ${role} is not in the file: ${tensor}`);
    }
  if (missing.length > 0)
    throw new WeightError({
      message: [
        `${missing.length} pieces of joined weights are missing.`,
        ...missing.slice(0, 10).map((line) => `    ${line}`),
        ...(missing.length > 10 ? [`    and ${missing.length - 10} more`] : []),
      ].join('\n'),
      where: path,
      hint: 'The download of this folder was not finished, or its weights are of another format than its config says.',
    });
  const result = new Map<string, WeightEntry>([...tensors].filter(([name]) => !usedBy.has(name)));
  for (const { name, shape, form, settings, pieces } of joins) {
    if (result.has(name))
      throw new WeightError({
        message: `${quoted(name)} is a tensor of the file, and joined of ${Object.values(pieces).map(quoted).join(', ')} too.`,
        where: path,
      });
    const entries = Object.entries(pieces).map(([role, tensor]) => [role, tensors.get(tensor)!] as const);
    result.set(name, {
      name,
      shape,
      form,
      ...(settings === undefined ? {} : { settings }),
      pieces: Object.fromEntries(entries),
    });
  }
  return result;
}
