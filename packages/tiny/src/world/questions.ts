import {
  describe,
  describeWithBoxes,
  matching,
  name,
  plural,
  withArticle,
  writeBox,
  type Reference,
} from './grammar.js';
import { questionKinds, type QuestionKind } from './question-kinds.js';
import type { Random } from './random.js';
import { colors, shapes, type Scene, type SceneObject } from './scene.js';
import { phrase } from './wording.js';

/** A question about a scene and its only right answer. */
export interface Dialogue {
  readonly kind: QuestionKind;
  readonly question: string;
  readonly answer: string;
}

/** Which questions are asked about a scene. */
export interface DialogueOptions {
  /** How many questions, all of different kinds; default 5. */
  readonly count?: number | undefined;
  /** Kinds to choose from; default all of `questionKinds`. */
  readonly kinds?: readonly QuestionKind[] | undefined;
  /** Share of questions in another wording than the plain one; default 0.5. */
  readonly variety?: number | undefined;
  /**
   * Share of questions that go beyond the ten kinds as tiny-world names them: counts of red circles, existence of
   * any star, relations and boxes of things named by shape or colour alone; default 0.
   */
  readonly extras?: number | undefined;
  /** Whether all kinds are equally likely; by default the hard ones come more often. */
  readonly uniform?: boolean | undefined;
}

/** How often a kind is drawn in training: kinds whose answers say most about the picture come more often. */
const weights: Readonly<Record<QuestionKind, number>> = {
  'count-shape': 1,
  'count-color': 1,
  'count-objects': 0.6,
  color: 0.8,
  size: 0.9,
  exists: 0.9,
  relation: 1.3,
  box: 1.2,
  read: 1.2,
  describe: 1.6,
  'describe-boxes': 1.6,
};

/** Least distance of two centres along an axis for a question which lies left, right, above or below. */
const relationMargin = 0.04;

/** What a template is filled with, and the answer. */
interface Draft {
  readonly slots: Readonly<Record<string, string>>;
  readonly answer: string;
}

type Drafter = (scene: Scene, random: Random, extra: boolean) => Draft | undefined;

/** The references that fit one object only. */
const unique = (
  scene: Scene,
  references: readonly Reference[],
): { reference: Reference; object: SceneObject }[] =>
  references.flatMap((reference) => {
    const found = matching(scene, reference);
    return found.length === 1 ? [{ reference, object: found[0] as SceneObject }] : [];
  });

const different = (references: readonly Reference[]): Reference[] => [
  ...new Map(references.map((reference) => [name(reference), reference])).values(),
];

const full = ({ objects }: Scene): Reference[] =>
  different(objects.map(({ color, shape }) => ({ color, shape })));

const byShape = ({ objects }: Scene): Reference[] => different(objects.map(({ shape }) => ({ shape })));

const one = (found: readonly { reference: Reference; object: SceneObject }[], random: Random) =>
  found.length === 0 ? undefined : random.pick(found);

const drafters: Readonly<Record<QuestionKind, Drafter>> = {
  'count-shape': (scene, random, extra) => {
    const present = random.pick(scene.objects);
    const shape = random.chance(0.75) ? present.shape : random.pick(shapes);
    const reference = extra
      ? { shape, color: random.chance(0.75) ? present.color : random.pick(colors) }
      : { shape };
    return { slots: { things: plural(name(reference)) }, answer: String(matching(scene, reference).length) };
  },
  'count-color': (scene, random) => {
    const color = random.chance(0.75) ? random.pick(scene.objects).color : random.pick(colors);
    const noun = random.pick(['shapes', 'shapes', 'objects', 'things']);
    return { slots: { things: `${color} ${noun}` }, answer: String(matching(scene, { color }).length) };
  },
  'count-objects': (scene, random) => ({
    slots: { things: random.pick(['objects', 'objects', 'objects', 'shapes', 'things']) },
    answer: String(scene.objects.length),
  }),
  color: (scene, random) => {
    const found = one(unique(scene, byShape(scene)), random);
    return found && { slots: { thing: name(found.reference) }, answer: found.object.color };
  },
  size: (scene, random) => {
    const found = one(unique(scene, random.chance(0.8) ? byShape(scene) : full(scene)), random);
    return found && { slots: { thing: name(found.reference) }, answer: found.object.size };
  },
  exists: (scene, random, extra) => {
    const present = random.pick(scene.objects);
    const wanted = random.chance(0.5);
    let reference: Reference;
    if (wanted) {
      reference = present;
    } else {
      // Mostly near misses: the shape is there in another colour, or the colour on another shape.
      const near = random.weighted([0.45, 0.45, 0.1]);
      reference = {
        shape: near === 0 ? present.shape : random.pick(shapes),
        color: near === 1 ? present.color : random.pick(colors),
      };
    }
    const { shape, color } = reference;
    const asked = extra ? { shape } : { shape, color };
    return {
      slots: { 'a thing': withArticle(name(asked)), things: plural(name(asked)) },
      answer: matching(scene, asked).length > 0 ? 'yes' : 'no',
    };
  },
  relation: (scene, random, extra) => {
    const found = random.shuffle(unique(scene, extra ? byShape(scene) : full(scene)));
    const [a, b] = found;
    if (!a || !b) return undefined;
    const [dx, dy] = [a.object.cx - b.object.cx, a.object.cy - b.object.cy];
    const axes = [
      { distance: dx, relations: ['left', 'right'] as const },
      { distance: dy, relations: ['above', 'below'] as const },
    ].filter(({ distance }) => Math.abs(distance) > relationMargin);
    if (axes.length === 0) return undefined;
    const { distance, relations } = random.pick(axes);
    const truth = relations[distance < 0 ? 0 : 1];
    const relation = random.pick(relations);
    return {
      slots: { thing: name(a.reference), other: name(b.reference), relation },
      answer: relation === truth ? 'yes' : 'no',
    };
  },
  box: (scene, random, extra) => {
    const found = one(unique(scene, extra ? byShape(scene) : full(scene)), random);
    return found && { slots: { thing: name(found.reference) }, answer: writeBox(found.object.box) };
  },
  read: (scene) => ({ slots: {}, answer: scene.number?.text ?? 'none' }),
  describe: (scene) => ({ slots: {}, answer: describe(scene) }),
  'describe-boxes': (scene) => ({ slots: {}, answer: describeWithBoxes(scene) }),
};

/** One question of a kind about a scene; `undefined` when the scene does not allow it (no star that stands alone, …). */
export const askOne = (
  kind: QuestionKind,
  scene: Scene,
  random: Random,
  { variety = 0.5, extras = 0 }: DialogueOptions = {},
): Dialogue | undefined => {
  const draft = drafters[kind](scene, random, random.chance(extras));
  return draft && { kind, question: phrase(kind, draft.slots, random, variety), answer: draft.answer };
};

/** Questions of different kinds about a scene, in random order; fewer than asked for where the scene allows fewer. */
export const ask = (scene: Scene, random: Random, options: DialogueOptions = {}): Dialogue[] => {
  const { count = 5, kinds = questionKinds, uniform = false } = options;
  const out: Dialogue[] = [];
  const left = [...kinds];
  while (out.length < count && left.length > 0) {
    const chosen = random.weighted(left.map((kind) => weightOf(kind, scene, uniform)));
    const [kind] = left.splice(chosen, 1) as [QuestionKind];
    const dialogue = askOne(kind, scene, random, options);
    if (dialogue) out.push(dialogue);
  }
  return out;
};

/** Reading pays only where there is something to read. */
const weightOf = (kind: QuestionKind, scene: Scene, uniform: boolean): number => {
  if (uniform) return 1;
  if (kind === 'read') return weights.read * (scene.number ? 1.8 : 0.3);
  return weights[kind];
};
