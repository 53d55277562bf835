import { coordinateCodec } from '@weft/text';
import type { QuestionKind } from './question-kinds.js';
import type { Box } from './scene.js';

/** Reads `<box>x1 y1 x2 y2</box>` in hundredths; `undefined` when it is not well-formed or has no area. */
export const parseBox = (text: string): Box | undefined => {
  const { place } = coordinateCodec('tags').parse(text);
  return place?.kind === 'box' ? place.box : undefined;
};

const areaOf = ({ x1, y1, x2, y2 }: Box): number => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);

/** Area of the intersection over area of the union, `0` to `1`. */
export const intersectionOverUnion = (a: Box, b: Box): number => {
  const shared = areaOf({
    x1: Math.max(a.x1, b.x1),
    y1: Math.max(a.y1, b.y1),
    x2: Math.min(a.x2, b.x2),
    y2: Math.min(a.y2, b.y2),
  });
  const union = areaOf(a) + areaOf(b) - shared;
  return union > 0 ? shared / union : 0;
};

/** The least overlap at which a box counts as right. */
export const requiredOverlap = 0.75;

/** Whether an answer is right: the expected text exactly, save for boxes, which must overlap the expected box. */
export const grade = (kind: QuestionKind, expected: string, answer: string): boolean => {
  if (kind !== 'box') return answer.trim() === expected;
  const [wanted, given] = [parseBox(expected), parseBox(answer)];
  return (
    wanted !== undefined && given !== undefined && intersectionOverUnion(wanted, given) >= requiredOverlap
  );
};
