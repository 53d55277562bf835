import { ConfigError } from '@weft/errors';
import { raster } from '@weft/image';
import { describeScheme } from '@weft/quantize';
import {
  agreementOf,
  load,
  smallStorage,
  type Agreement,
  type ChosenWeight,
  type DtypeOption,
  type GenerationRequest,
  type LoadedModel,
} from '@weft/runtime';
import { senseOf } from '@weft/spec';
import type { WeightEntry } from '@weft/weights';
import { givenFolder } from './given-folder.js';
import { openFolder } from './open-folder.js';

/** Matrices of one part in one form. */
export interface QuantizedPart {
  readonly part: string;
  readonly scheme: string;
  readonly matrices: number;
  readonly values: number;
  readonly sourceBytes: number;
  readonly storedBytes: number;
  /** Root of the squared error over the squared weights. */
  readonly relativeError: number;
}

export interface QuantizeSummary {
  readonly folder: string;
  /** Of the rounded weights, in the cache. */
  readonly file: string;
  readonly isCached: boolean;
  readonly parts: readonly QuantizedPart[];
  /** Of all weights in the files. */
  readonly sourceBytes: number;
  readonly agreement: Agreement | null;
}

export interface QuantizeFolderOptions {
  readonly dtype: DtypeOption;
  /** Whether both forms are asked the same questions. */
  readonly compare: boolean;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly report: (what: string, share?: number) => void;
}

/**
 * Rounds the weights of a checkpoint into the cache, and finds out what that costs.
 *
 * @throws ConfigError if the form leaves all weights as they are
 */
export async function quantizeFolder(
  given: string,
  { dtype, compare, threads, signal, report }: QuantizeFolderOptions,
): Promise<QuantizeSummary> {
  const folder = await givenFolder(given);
  const { files, model, entries } = await openFolder(folder);
  const { chosen, file } = await smallStorage(model, entries, dtype, {
    threads,
    signal,
    progress: (share) => report('rounding weights', share),
  });
  if (!file)
    throw new ConfigError({
      message: 'The form leaves all weights as the files have them.',
      where: '--dtype',
      hint: 'Forms that round are q8, q4 and fast.',
    });
  const errors = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  const rows = new Map<
    string,
    { chosen: ChosenWeight; group: (typeof file.tensors)[number][]; bytes: number }
  >();
  for (const weight of chosen) {
    const key = `${weight.part} ${describeScheme(weight.scheme)}`;
    const row = rows.get(key) ?? { chosen: weight, group: [], bytes: 0 };
    row.group.push(errors.get(weight.path)!);
    row.bytes += bytesOf(entries.get(weight.path)!);
    rows.set(key, row);
  }
  return {
    folder: files.folder,
    file: file.path,
    isCached: file.isCached,
    parts: [...rows.values()].map(({ chosen: { part, scheme }, group, bytes }) => ({
      part,
      scheme: describeScheme(scheme),
      matrices: group.length,
      values: group.reduce((sum, { shape }) => sum + shape[0] * shape[1], 0),
      sourceBytes: bytes,
      storedBytes: group.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
      relativeError: Math.sqrt(
        group.reduce((sum, { squaredError }) => sum + squaredError, 0) /
          group.reduce((sum, { squaredNorm }) => sum + squaredNorm, 0),
      ),
    })),
    sourceBytes: [...entries.values()].reduce((sum, entry) => sum + bytesOf(entry), 0),
    agreement: compare ? await compareForms(files.folder, { dtype, threads, signal, report }) : null,
  };
}

const bytesOf = (entry: WeightEntry): number =>
  'pieces' in entry
    ? Object.values(entry.pieces).reduce((sum, { byteLength }) => sum + byteLength, 0)
    : entry.byteLength;

async function compareForms(
  folder: string,
  { dtype, threads, signal, report }: Omit<QuantizeFolderOptions, 'compare'>,
): Promise<Agreement> {
  report('comparing answers');
  const open = (form: DtypeOption) => load(folder, { dtype: form, threads, signal });
  const exact = await open('float32');
  try {
    const other = await open(dtype);
    try {
      return await agreementOf(exact, other, questionsFor(exact), signal ? { signal } : {});
    } finally {
      await other.close();
    }
  } finally {
    await exact.close();
  }
}

const texts = [
  'What is the capital of France?',
  'Count from one to ten.',
  'Write a sentence about the sea.',
  'Which is larger, seven or twelve?',
];

const looks = ['What is in the picture?', 'Which colours do you see?', 'How many objects are there?'];

/** Questions that any model can be asked; pictures only where it sees. */
function questionsFor({ model, parts }: LoadedModel): GenerationRequest[] {
  const asked = (text: string, images: readonly ReturnType<typeof scene>[]): GenerationRequest =>
    parts.chatTemplate === undefined && images.length === 0
      ? { prompt: text }
      : {
          messages: [
            {
              role: 'user',
              content: [
                ...images.map((image) => ({ type: 'image', image }) as const),
                { type: 'text', text },
              ],
            },
          ],
        };
  return [
    ...texts.map((text) => asked(text, [])),
    ...(senseOf(model, 'image') ? looks.map((text, i) => asked(text, [scene(i)])) : []),
  ];
}

/** A picture with a few areas of colour. */
function scene(seed: number) {
  const [width, height] = [160 + 40 * seed, 200 - 30 * seed];
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const isInside = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (40 + 10 * seed) ** 2;
      data.set(
        isInside ? [220 - 80 * seed, 40 + 90 * seed, 60] : [230, 230, (255 * x) / width],
        (y * width + x) * 3,
      );
    }
  return raster(width, height, data);
}
