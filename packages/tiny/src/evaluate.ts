import sharp from 'sharp';
import { decodeImage, encodeJpeg, type Raster } from '@weft/image';
import type { LoadedModel } from '@weft/runtime';
import { wear } from './world/augment.js';
import { grade } from './world/grade.js';
import { questionKinds, type QuestionKind } from './world/question-kinds.js';
import { ask, type Dialogue } from './world/questions.js';
import { Random } from './world/random.js';
import { paint } from './world/raster.js';
import { randomScene, type Scene } from './world/scene.js';
import { sceneToSvg } from './world/svg.js';

/** Ways in which a fresh picture is made; `other` is drawn by librsvg with faces that training never saw. */
export const conditions = ['plain', 'worn', 'jpeg', 'shifted', 'other'] as const;
export type Condition = (typeof conditions)[number];

/** Right answers among those given. */
export interface Score {
  right: number;
  asked: number;
}

export interface Evaluation {
  readonly overall: Score;
  readonly kinds: Readonly<Record<QuestionKind, Score>>;
  readonly conditions: Readonly<Record<Condition, Score>>;
  /** Boxes that are right to the last hundredth; the others count from an overlap of 0.75. */
  readonly exactBoxes: Score;
  readonly wrong: readonly {
    readonly seed: number;
    readonly condition: Condition;
    readonly dialogue: Dialogue;
    readonly answer: string;
  }[];
}

export interface EvaluateOptions {
  readonly pictures: number;
  /** Questions for each picture, all of different kinds. */
  readonly questions: number;
  /** Seed of the first picture; training uses seeds from 900,000 to 1,060,000. */
  readonly seed: number;
  readonly batchSize?: number;
  readonly onProgress?: (done: number) => void;
}

/** Draws fresh pictures, asks the model about them, and counts right answers by kind of question. */
export async function evaluate(model: LoadedModel, options: EvaluateOptions): Promise<Evaluation> {
  const score = (): Score => ({ right: 0, asked: 0 });
  const kinds = Object.fromEntries([...questionKinds].map((kind) => [kind, score()])) as Record<
    QuestionKind,
    Score
  >;
  const byCondition = Object.fromEntries(conditions.map((condition) => [condition, score()])) as Record<
    Condition,
    Score
  >;
  const [overall, exactBoxes] = [score(), score()];
  const wrong: Evaluation['wrong'][number][] = [];
  const batchSize = options.batchSize ?? 40;

  for (let done = 0; done < options.pictures;) {
    const cases: { seed: number; condition: Condition; picture: Raster; dialogue: Dialogue }[] = [];
    for (; done < options.pictures && cases.length < batchSize; done++) {
      const seed = options.seed + done;
      const condition = conditions[done % conditions.length]!;
      const { scene, picture, random } = await drawFresh(seed, condition);
      for (const dialogue of ask(scene, random, { count: options.questions, uniform: true }))
        cases.push({ seed, condition, picture, dialogue });
    }
    const answers = await model.generateBatch(
      cases.map(({ picture, dialogue }) => ({
        messages: [
          {
            role: 'user',
            content: [
              { type: 'image', image: picture },
              { type: 'text', text: dialogue.question },
            ],
          },
        ],
      })),
    );
    for (const [i, { seed, condition, dialogue }] of cases.entries()) {
      const answer = answers[i]!.text;
      const right = grade(dialogue.kind, dialogue.answer, answer);
      for (const one of [overall, kinds[dialogue.kind], byCondition[condition]]) {
        one.asked++;
        if (right) one.right++;
      }
      if (dialogue.kind === 'box') {
        exactBoxes.asked++;
        if (answer.trim() === dialogue.answer) exactBoxes.right++;
      }
      if (!right) wrong.push({ seed, condition, dialogue, answer });
    }
    options.onProgress?.(done);
  }
  return { overall, kinds, conditions: byCondition, exactBoxes, wrong };
}

/** A fresh scene and its picture at a size from 64 to 512. */
export async function drawFresh(
  seed: number,
  condition: Condition,
): Promise<{ scene: Scene; picture: Raster; random: Random }> {
  const random = new Random(seed);
  const scene = randomScene(random, { faces: condition === 'other' ? 'held-out' : 'training' });
  const size = random.integer(64, 512);
  if (condition === 'other') {
    const { data } = await sharp(Buffer.from(sceneToSvg(scene, size)))
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { scene, random, picture: { width: size, height: size, channels: 3, data: new Uint8Array(data) } };
  }
  const shift =
    condition === 'shifted'
      ? ([random.between(-0.5, 0.5), random.between(-0.5, 0.5)] as const)
      : ([0, 0] as const);
  const picture = paint(scene, size, { shift });
  if (condition === 'worn') wear(picture, random);
  if (condition !== 'jpeg') return { scene, random, picture };
  return { scene, random, picture: await decodeImage(await encodeJpeg(picture, random.integer(50, 95))) };
}
