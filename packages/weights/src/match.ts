import { WeightError } from '@weft/errors';
import { files } from '#backend';
import { quoted } from './header.js';
import { joinTensors, type JoinTensors, type WeightEntry } from './join.js';
import type { TensorEntry } from './safetensors.js';
import { splitTensors, type SplitTensor } from './split.js';

/** What {@link matchWeights} compares. */
export interface WeightsToMatch {
  /** The model's parameters by their path. */
  readonly expected: ReadonlyMap<string, { readonly shape: readonly number[] }>;
  /** The tensors on disk, such as a `Checkpoint` or a `SafetensorsFile`. */
  readonly file: { readonly path: string; readonly tensors: ReadonlyMap<string, TensorEntry> };
  /** Pieces of a tensor that stand for tensors of their own; names below are those of the pieces. */
  readonly split?: SplitTensor;
  /** Tensors, or pieces of them, that stand for one together; names below are those of the wholes. */
  readonly join?: JoinTensors;
  /** The parameter path of a tensor's name in the file, null for a tensor that is left out. */
  readonly rename?: (name: string) => string | null;
  /** Why the model does not need a tensor of the file; undefined if it should. */
  readonly unused?: (name: string) => UnusedReason | undefined;
}

/** Why a model does not use a tensor of a file. */
export interface UnusedReason {
  readonly reason: string;
  /** What the tensor holds if the reason is true, for its shape. */
  readonly values?: (shape: readonly number[]) => Float32Array;
  /** Whether the tensor repeats the table of token embeddings if the reason is true. */
  readonly isTokenTable?: boolean;
}

/** A tensor of a file that the model does not use. */
export interface UnusedEntry extends UnusedReason {
  readonly name: string;
  readonly entry: WeightEntry;
}

/** Where each parameter of a model comes from. */
export interface MatchedWeights {
  /** For every expected path its tensor, or the tensors that are joined to it. */
  readonly entries: Map<string, WeightEntry>;
  /** Tensors of the file that the model does not use, each with its reason. */
  readonly unused: readonly UnusedEntry[];
}

/**
 * Finds a tensor for every parameter, and accounts for every tensor of the file.
 *
 * @throws WeightError that lists all that does not fit: parameters that are missing (with the closest name in
 * the file), shapes that differ, tensors that two names claim, and tensors that nothing asked for; and that names the
 * missing pieces of joined tensors
 */
export const matchWeights = ({
  expected,
  file: stored,
  split,
  join,
  rename,
  unused,
}: WeightsToMatch): MatchedWeights => {
  const whole = split ? splitTensors(stored.tensors, split) : stored.tensors;
  const file = { path: stored.path, tensors: join ? joinTensors(whole, join, stored.path) : whole };
  const entries = new Map<string, WeightEntry>();
  const leftOver: UnusedEntry[] = [];
  const unexpected = new Map<string, string>();
  const shapes: string[] = [];
  const twice: string[] = [];
  const misfits: string[] = [];
  for (const [name, entry] of file.tensors) {
    const path = rename ? rename(name) : name;
    const parameter = path === null ? undefined : expected.get(path);
    if (path === null || parameter === undefined) {
      const reason = unused?.(name) ?? (path === null ? { reason: 'left out by the renaming' } : undefined);
      if (reason === undefined) unexpected.set(name, path!);
      else leftOver.push({ ...reason, name, entry });
      continue;
    }
    const other = entries.get(path);
    if (other !== undefined) {
      misfits.push(path);
      twice.push(`${path}\n      both ${quoted(other.name)} and ${quoted(name)} of the file`);
      continue;
    }
    entries.set(path, entry);
    if (!sameShape(parameter.shape, entry.shape)) {
      misfits.push(path);
      const from = name === path ? '' : ` as ${quoted(name)}`;
      shapes.push(
        `${path}\n      expected ${shown(parameter.shape)}, the file has ${shown(entry.shape)}${from}`,
      );
    }
  }
  const missing = [...expected.keys()].filter((path) => !entries.has(path));
  if (missing.length + shapes.length + twice.length + unexpected.size === 0)
    return { entries, unused: leftOver };

  // A misspelt parameter left its tensor without a taker, so those names come first.
  const candidates = unexpected.size > 0 ? unexpected : renamedNames(file.tensors, rename);
  const missingLines = missing.slice(0, most).map((path) => {
    const closest = closestName(path, candidates);
    return `${path}\n      not in the file${closest === undefined ? '' : `. Closest name: ${closest}`}`;
  });
  const wrong = new Set([...missing, ...misfits]).size;
  const name = files.basename(file.path);
  throw new WeightError({
    message: [
      wrong > 0
        ? `${wrong} of ${expected.size} parameters do not fit ${name}, which has ${file.tensors.size} tensors.`
        : `${unexpected.size} of ${file.tensors.size} tensors of ${name} have no place in the model.`,
      ...section('missing', missingLines, missing.length),
      ...section('of another shape', shapes, shapes.length),
      ...section('claimed by two tensors', twice, twice.length),
      ...section('in the file, but not in the model', [...unexpected.keys()], unexpected.size),
    ].join('\n'),
    where: file.path,
    hint: 'Check that the checkpoint belongs to this model and to this configuration.',
  });
};

/** Lines per section of the message. */
const most = 10;

const section = (title: string, lines: readonly string[], count: number): string[] => {
  if (count === 0) return [];
  const rest = count > most ? [`    and ${count - most} more`] : [];
  return [`  ${title}: ${count}`, ...lines.slice(0, most).map((line) => `    ${line}`), ...rest];
};

const shown = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i]);

const renamedNames = (
  tensors: ReadonlyMap<string, WeightEntry>,
  rename: ((name: string) => string | null) | undefined,
): ReadonlyMap<string, string> =>
  new Map([...tensors.keys()].map((name) => [name, (rename ? rename(name) : name) ?? name]));

const closestName = (path: string, candidates: ReadonlyMap<string, string>): string | undefined => {
  let best: string | undefined;
  // Names that differ in more than half of their letters say nothing.
  let bound = Math.floor(path.length / 2) + 1;
  for (const [name, renamed] of candidates) {
    const distance = editDistance(path, renamed, bound);
    if (distance < bound) [best, bound] = [name, distance];
  }
  return best;
};

/** Levenshtein distance, or `bound` if it is not smaller. */
const editDistance = (a: string, b: string, bound: number): number => {
  if (Math.abs(a.length - b.length) >= bound) return bound;
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const value = Math.min(
        above[j]! + 1,
        row[j - 1]! + 1,
        above[j - 1]! + Number(a.charCodeAt(i - 1) !== b.charCodeAt(j - 1)),
      );
      row.push(value);
      if (value < least) least = value;
    }
    if (least >= bound) return bound;
    above = row;
  }
  return Math.min(above[b.length]!, bound);
};
