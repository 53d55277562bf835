import { availableParallelism, cpus } from 'node:os';
import { InvalidArgumentError, type Command } from 'commander';
import type { DtypeOption, GenerationOptions } from '@weft/runtime';
import type { ImageSize } from './describe-model.js';

/** Values of the options that `addGenerationOptions` adds. */
export interface GenerationFlags {
  readonly model?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly dtype?: DtypeOption;
}

const parser =
  (holds: (value: number) => boolean, wanted: string) =>
  (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!holds(value)) throw new InvalidArgumentError(`Expected ${wanted}.`);
    return value;
  };

/** A whole number from a command line. */
export const wholeNumber = (least: number): ((text: string) => number) =>
  parser((value) => Number.isSafeInteger(value) && value >= least, `a whole number of at least ${least}`);

/** Processors of this machine: the most threads that can be of use. */
export const processors = (): number => Math.max(cpus().length, availableParallelism());

/** A number of threads from a command line. */
export function threadCount(text: string): number {
  const most = processors();
  return parser(
    (value) => Number.isSafeInteger(value) && value >= 1 && value <= most,
    `a whole number from 1 to ${most}, the processors of this machine`,
  )(text);
}

/** The size of a picture from a command line: `640x480`. */
export function pictureSize(text: string): ImageSize {
  const [, width, height] = /^(\d{1,6})[x×](\d{1,6})$/i.exec(text) ?? [];
  if (!Number(width) || !Number(height)) throw new InvalidArgumentError('Expected a size such as 640x480.');
  return { width: Number(width), height: Number(height) };
}

/** The form of weights from a command line: `q4`, or by part and path: `backbone=q4,head=q8,*.layers.0.*=float32`. */
export function weightForm(text: string): DtypeOption {
  if (!text.includes('=')) return text as DtypeOption;
  return Object.fromEntries(
    text.split(',').map((piece) => {
      const at = piece.lastIndexOf('=');
      if (at <= 0) throw new InvalidArgumentError('Expected PART=FORM, several with commas between.');
      return [piece.slice(0, at).trim(), piece.slice(at + 1).trim()];
    }),
  ) as DtypeOption;
}

export const weightFormHelp =
  'form of the weights: float32, q8, q4, fast, or by part and path: backbone=q4,head=q8';

/** Adds the options of commands that answer. */
export function addGenerationOptions(command: Command): Command {
  return command
    .option(
      '-m, --model <folder>',
      'Hugging Face checkpoint folder; "tiny" is the embedded model, which is used unless given',
    )
    .option('--max-tokens <n>', 'most tokens of an answer', wholeNumber(1))
    .option(
      '--temperature <t>',
      'randomness; 0 always takes the most probable token',
      parser((value) => value >= 0 && value < Infinity, 'a number of at least 0'),
    )
    .option(
      '--top-p <p>',
      'draw from the most probable tokens that make up this share',
      parser((value) => value > 0 && value <= 1, 'a number above 0, at most 1'),
    )
    .option('--seed <n>', 'the same seed draws the same answer', wholeNumber(0))
    .option('--dtype <form>', `${weightFormHelp}; as in the files unless given`, weightForm)
    .option(
      '--threads <n>',
      'threads to compute with, at most as many as there are processors; the physical cores unless given',
      threadCount,
    );
}

/** The options in the words of the runtime. */
export const generationOptions = ({
  maxTokens,
  temperature,
  topP,
  seed,
}: GenerationFlags): GenerationOptions => ({
  maxNewTokens: maxTokens,
  temperature,
  topP,
  seed,
});
