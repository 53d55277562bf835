import { describe, expect, it } from 'vitest';
import { describe as describeScene, describeWithBoxes } from './grammar.js';
import { parseBox } from './grade.js';
import { questionKinds, type QuestionKind } from './question-kinds.js';
import { ask, askOne } from './questions.js';
import { Random } from './random.js';
import { randomScene, type Scene, type SceneObject } from './scene.js';

const object = (
  size: 'small' | 'large',
  color: SceneObject['color'],
  shape: SceneObject['shape'],
  cx: number,
  cy = 0.5,
): SceneObject => ({
  shape,
  color,
  size,
  cx,
  cy,
  radius: 0.1,
  outline: [],
  box: { x1: cx - 0.1, y1: cy - 0.1, x2: cx + 0.1, y2: cy + 0.1 },
});

const number = (text: string) => ({
  text,
  x: 0.1,
  y: 0.7,
  height: 0.2,
  font: 'inter-400',
  box: { x1: 0.1, y1: 0.7, x2: 0.3, y2: 0.9 },
});

const redCircle = object('large', 'red', 'circle', 0.2, 0.2);
const blueSquare = object('small', 'blue', 'square', 0.8, 0.6);
const scene: Scene = { background: 'white', objects: [blueSquare, redCircle], number: number('472') };

/** Plainly worded questions of a kind about a scene, by question. */
const plain = (kind: QuestionKind, about: Scene, tries = 300): Map<string, string> => {
  const found = new Map<string, string>();
  for (let seed = 0; seed < tries; seed++) {
    const dialogue = askOne(kind, about, new Random(seed), { variety: 0 });
    if (dialogue) found.set(dialogue.question, dialogue.answer);
  }
  return found;
};

describe('descriptions', () => {
  it('go from left to right and end with the number', () => {
    expect(describeScene(scene)).toBe('a large red circle, a small blue square, and the number 472');
  });

  it('join two items by "and" and leave one alone', () => {
    expect(describeScene({ background: 'sky', objects: [redCircle] })).toBe('a large red circle');
    expect(describeScene({ background: 'sky', objects: [redCircle], number: number('7') })).toBe(
      'a large red circle and the number 7',
    );
    expect(describeScene({ background: 'sky', objects: [blueSquare, redCircle] })).toBe(
      'a large red circle and a small blue square',
    );
  });

  it('are led by boxes when positions are asked for', () => {
    expect(describeWithBoxes({ ...scene, objects: [redCircle] })).toBe(
      '<box>10 10 30 30</box> a large red circle and <box>10 70 30 90</box> the number 472',
    );
  });
});

describe('plain questions', () => {
  it('count shapes, colours and objects', () => {
    const shapes = plain('count-shape', scene);
    expect(shapes.get('How many circles are there?')).toBe('1');
    expect(shapes.get('How many stars are there?')).toBe('0');
    expect(plain('count-color', scene).get('How many red shapes are there?')).toBe('1');
    expect(plain('count-color', scene).get('How many green shapes are there?')).toBe('0');
    expect(plain('count-objects', scene).get('How many objects are there?')).toBe('2');
  });

  it('ask colour and size of a shape that stands alone', () => {
    expect(plain('color', scene).get('What color is the circle?')).toBe('red');
    expect(plain('size', scene).get('What size is the square?')).toBe('small');
    expect(
      askOne(
        'color',
        { background: 'sky', objects: [redCircle, object('small', 'blue', 'circle', 0.6)] },
        new Random(1),
      ),
    ).toBeUndefined();
  });

  it('ask for what exists and for near misses', () => {
    const found = plain('exists', scene);
    expect(found.get('Is there a red circle?')).toBe('yes');
    expect(found.get('Is there a blue circle?')).toBe('no');
    expect(found.get('Is there a red square?')).toBe('no');
    const orange = object('small', 'orange', 'star', 0.5);
    expect(plain('exists', { background: 'sky', objects: [orange] }).get('Is there an orange star?')).toBe(
      'yes',
    );
  });

  it('relate two objects in all four directions', () => {
    const found = plain('relation', scene);
    expect(found.get('Is the red circle left of the blue square?')).toBe('yes');
    expect(found.get('Is the red circle right of the blue square?')).toBe('no');
    expect(found.get('Is the red circle above the blue square?')).toBe('yes');
    expect(found.get('Is the blue square above the red circle?')).toBe('no');
    expect(found.get('Is the blue square below the red circle?')).toBe('yes');
  });

  it('do not relate objects whose order is too close to call', () => {
    const level: Scene = {
      background: 'white',
      objects: [redCircle, object('small', 'blue', 'square', 0.8, 0.21)],
    };
    const questions = [...plain('relation', level).keys()];
    expect(questions.length).toBeGreaterThan(0);
    expect(questions.filter((question) => /above|below/.test(question))).toEqual([]);
  });

  it('ask where a thing is and what number is printed', () => {
    expect(plain('box', scene).get('Where is the red circle?')).toBe('<box>10 10 30 30</box>');
    expect(plain('read', scene)).toEqual(new Map([['Read the number.', '472']]));
    expect(plain('read', { background: 'white', objects: [redCircle] })).toEqual(
      new Map([['Read the number.', 'none']]),
    );
    expect([...plain('describe', scene).keys()]).toEqual(['Describe the picture.']);
  });
});

describe('questions by lot', () => {
  const many = Array.from({ length: 3000 }, (_, seed) => {
    const random = new Random(seed);
    return ask(randomScene(random), random, { extras: 0.1 });
  });
  const all = many.flat();
  const share = (kind: QuestionKind, answer: string): number => {
    const same = all.filter((dialogue) => dialogue.kind === kind);
    return same.filter((dialogue) => dialogue.answer === answer).length / same.length;
  };

  it('are of different kinds within a picture and cover all kinds', () => {
    for (const dialogues of many)
      expect(new Set(dialogues.map(({ kind }) => kind)).size).toBe(dialogues.length);
    expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(questionKinds));
  });

  it('have balanced answers', () => {
    for (const kind of ['exists', 'relation'] as const) {
      expect(share(kind, 'yes')).toBeGreaterThan(0.4);
      expect(share(kind, 'yes')).toBeLessThan(0.65);
    }
    expect(share('size', 'large')).toBeGreaterThan(0.35);
    expect(share('size', 'large')).toBeLessThan(0.65);
    for (const count of ['0', '1', '2', '3', '4']) expect(share('count-shape', count)).toBeGreaterThan(0.02);
    expect(share('count-shape', '5')).toBeGreaterThan(0.005);
    expect(share('read', 'none')).toBeGreaterThan(0.1);
    expect(share('read', 'none')).toBeLessThan(0.4);
  });

  it('come in many wordings, among them other cases, British spelling and missing marks', () => {
    const questions = all.map(({ question }) => question);
    expect(
      new Set(all.filter(({ kind }) => kind === 'read').map(({ question }) => question)).size,
    ).toBeGreaterThan(50);
    for (const pattern of [
      /^[A-Z? .,!]+$/,
      /^[a-z ]+$/,
      /colour/i,
      /image/i,
      /do you see/i,
      /please/i,
      /\?$/,
    ]) {
      expect(questions.some((question) => pattern.test(question))).toBe(true);
    }
    expect(questions.every((question) => !/[{}]|undefined/.test(question))).toBe(true);
  });

  it('give boxes that can be read back', () => {
    for (const { answer } of all.filter(({ kind }) => kind === 'box')) expect(parseBox(answer)).toBeDefined();
  });
});
