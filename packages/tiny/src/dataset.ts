import { createTokenizer, type Tokenizer } from '@weft/text';
import { ignored, sampleIndex, type Dataset, type TrainingExample } from '@weft/train';
import { tinyTokenizer, tinyTokenizerConfig, tinyTokens } from './tokenizer.js';
import type { Pool } from './pool.js';
import { questionKinds } from './world/question-kinds.js';
import { ask, askOne, type Dialogue } from './world/questions.js';
import { Random } from './world/random.js';
import { randomScene, type Scene } from './world/scene.js';

/** What is asked about a picture in a stage. */
export type Curriculum = (scene: Scene, random: Random) => readonly Dialogue[];

/** First: what is where. Nothing else makes a model look at the picture so soon. */
export const lookCurriculum: Curriculum = (scene, random) => [askOne('describe-boxes', scene, random)!];

/** Second: a few questions, then what is where. */
export const pairCurriculum: Curriculum = (scene, random) => [
  ...ask(scene, random, {
    count: 3,
    kinds: questionKinds.filter((kind) => kind !== 'describe'),
    extras: 0.06,
  }),
  askOne('describe-boxes', scene, random)!,
];

/**
 * Then: all kinds of questions. Descriptions come last as a rule, lest the other answers be read off them
 * instead of the picture.
 */
export const questionCurriculum: Curriculum = (scene, random) => {
  const dialogues = ask(scene, random, { count: 5, extras: 0.06 });
  const late = random.chance(0.85) ? dialogues.toSorted((a, b) => rank(a) - rank(b)) : dialogues;
  if (!random.chance(0.15)) return late;
  return [...late.filter((d) => d.kind !== 'describe'), askOne('describe-boxes', scene, random)!];
};

const rank = ({ kind }: Dialogue): number => (kind === 'describe' ? 1 : 0);

/** Share of question words that training hides, so that unknown words do no harm. */
const hiddenWords = 0.01;

const tokenizer = (): Tokenizer => createTokenizer(tinyTokenizer() as never, tinyTokenizerConfig() as never);

/**
 * Endless samples: each picture of the pool in turn, with new questions at every visit, as one conversation.
 * Answers and their `<end>` are supervised.
 *
 * @param options `mostObjects` leaves out scenes with more objects, `numbers: false` those with a number
 */
export function worldDataset(
  pool: Pool,
  curriculum: Curriculum,
  imageTokens: number,
  {
    seed,
    mostObjects = 5,
    numbers = true,
  }: { readonly seed: number; readonly mostObjects?: number; readonly numbers?: boolean },
): Dataset {
  const encoder = tokenizer();
  const known = new Map<string, readonly number[]>();
  const encode = (text: string): readonly number[] => {
    const found = known.get(text);
    if (found) return found;
    const ids = encoder.encode(text, { addSpecialTokens: false, parseSpecialTokens: false });
    if (known.size < 200_000) known.set(text, ids);
    return ids;
  };
  const bytes = pool.size * pool.size * 3;
  const { image, user, assistant, end, unknown } = tinyTokens();
  const sceneOf = (picture: number) => randomScene(new Random(pool.first + picture), {});
  const all = Array.from({ length: pool.count }, (_, i) => i);
  const fits = ({ objects, number }: Scene) => objects.length <= mostObjects && (numbers || !number);
  const pictures = mostObjects < 5 || !numbers ? all.filter((picture) => fits(sceneOf(picture))) : all;

  return {
    size: Number.POSITIVE_INFINITY,
    example: (index): TrainingExample => {
      const picture = pictures[sampleIndex(pictures.length, seed, index)]!;
      const scene = sceneOf(picture);
      const random = new Random((seed * 1_000_003 + index * 7919) >>> 0);
      const inputIds: number[] = new Array<number>(imageTokens).fill(image);
      const labels: number[] = new Array<number>(imageTokens).fill(ignored);
      for (const { question, answer } of curriculum(scene, random)) {
        const asked = encode(question).map((id) => (random.chance(hiddenWords) ? unknown : id));
        const answered = [...encode(answer), end];
        inputIds.push(user, ...asked, assistant, ...answered);
        labels.push(...new Array<number>(asked.length + 2).fill(ignored), ...answered);
      }
      return {
        inputIds,
        labels,
        images: {
          pixel_values: {
            dtype: 'float32',
            shape: [1, 3, pool.size, pool.size],
            data: toPixels(pool.pixels.subarray(picture * bytes, (picture + 1) * bytes), pool.size),
          },
        },
      };
    },
  };
}

/** The processor's arithmetic (mean and deviation 0.5), channels first. */
function toPixels(rgb: Uint8Array, size: number): Float32Array {
  const area = size * size;
  const pixels = new Float32Array(3 * area);
  for (let i = 0; i < area; i++)
    for (let channel = 0; channel < 3; channel++)
      pixels[channel * area + i] = (Math.fround(rgb[i * 3 + channel]! / 255) - 0.5) / 0.5;
  return pixels;
}
