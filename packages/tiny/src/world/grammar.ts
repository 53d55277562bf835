import { coordinateCodec } from '@weft/text';
import type { Box, Color, Scene, SceneNumber, SceneObject, Shape } from './scene.js';

/** `circle` → `circles`. */
export const plural = (noun: string): string => `${noun}s`;

/** `red circle` → `a red circle`, `orange star` → `an orange star`. */
export const withArticle = (words: string): string => (/^[aeiou]/.test(words) ? `an ${words}` : `a ${words}`);

/** A colour, a shape or both: how questions name objects. */
export interface Reference {
  readonly color?: Color | undefined;
  readonly shape?: Shape | undefined;
}

/** `{ color: 'red', shape: 'star' }` → `red star`. */
export const name = ({ color, shape }: Reference): string => [color, shape].filter(Boolean).join(' ');

/** The objects of the scene that a reference fits. */
export const matching = (scene: Scene, { color, shape }: Reference): SceneObject[] =>
  scene.objects.filter((object) => (!color || object.color === color) && (!shape || object.shape === shape));

/** A box as coordinate tokens in hundredths of the canvas: `<box>12 30 40 55</box>`. */
export const writeBox = (box: Box): string => coordinateCodec('tags').writeBox(box);

const list = (items: readonly string[]): string => {
  if (items.length < 3) return items.join(' and ');
  return `${items.slice(0, -1).join(', ')}, and ${items.at(-1)}`;
};

const fromLeft = (scene: Scene): SceneObject[] => [...scene.objects].toSorted((a, b) => a.cx - b.cx);

/**
 * Describes a scene in one phrase.
 *
 * Grammar:
 * - the objects come from left to right by the x of their centres, each as `a SIZE COLOR SHAPE`;
 * - a printed number comes last as `the number DIGITS`;
 * - one item stands alone: `a large red circle`;
 * - two are joined by `and`: `a small red star and the number 7`;
 * - three or more are parted by commas, the last also by `and`:
 *   `a large red circle, a small blue square, and the number 472`.
 * No capital letter and no full stop.
 */
export const describe = (scene: Scene): string => describeWith(scene, () => '');

/**
 * As `describe`, each item led by its box: `<box>12 30 40 55</box> a large red circle and <box>…</box> the number 7`.
 * The place comes first, so that what is there can be looked up.
 */
export const describeWithBoxes = (scene: Scene): string =>
  describeWith(scene, ({ box }) => `${writeBox(box)} `);

const describeWith = (scene: Scene, before: (item: SceneObject | SceneNumber) => string): string =>
  list([
    ...fromLeft(scene).map((object) => `${before(object)}a ${object.size} ${name(object)}`),
    ...(scene.number ? [`${before(scene.number)}the number ${scene.number.text}`] : []),
  ]);
