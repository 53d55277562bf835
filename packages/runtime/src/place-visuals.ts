import { InputError } from '@weft/errors';
import { isVisualToken } from '@weft/feeds';
import { senseOf, type ImagePlacement, type Model, type Sense } from '@weft/spec';
import type { Segment } from '@weft/text';
import { PictureMemory } from './picture-memory.js';
import { isVideo, kindOf, type Visual } from './visuals.js';

/** What `placeVisuals` finds out. */
export interface PlacedVisuals {
  readonly segments: readonly Segment[];
  /** Pictures and videos in the order of the text. */
  readonly pictures: readonly Visual[];
  /** Parallel to `pictures`. */
  readonly placements: readonly ImagePlacement[];
}

/** Pictures or videos of one sense, and how far they are placed. */
interface Waiting {
  readonly sense: Sense;
  readonly visuals: readonly Visual[];
  readonly placements: readonly ImagePlacement[];
  found: number;
}

/**
 * Replaces each placeholder that the template wrote by the tokens of its picture or video; segments stay apart.
 *
 * @param visuals each kind in the order of its placeholders
 * @param placements what a processor said of the visuals, parallel to them; it is asked unless given
 * @throws InputError if there are more or fewer of a kind than placeholders, or their tensors need too much memory
 */
export function placeVisuals(
  segments: readonly Segment[],
  model: Model,
  visuals: readonly Visual[],
  placements?: readonly ImagePlacement[],
): PlacedVisuals {
  checkSeen(model, visuals);
  const waiting = model.senses.map((sense): Waiting => {
    const isOwn = (visual: Visual): boolean => kindOf(visual) === sense.kind;
    const own = visuals.filter(isOwn);
    const known = placements?.filter((_, i) => isOwn(visuals[i]!));
    return {
      sense,
      visuals: own,
      placements: known ?? own.map((visual, i) => place(sense, visual, i, own.length)),
      found: 0,
    };
  });
  if (waiting.length === 0) return { segments, pictures: [], placements: [] };
  const memory = new PictureMemory();
  for (const one of waiting) memory.addTensors(model, one.visuals, one.placements);

  const byPlaceholder = new Map(waiting.map((one) => [one.sense.placeholder, one]));
  const pattern = new RegExp(`(${[...byPlaceholder.keys()].map(escaped).join('|')})`);
  const pictures: Visual[] = [];
  const found: ImagePlacement[] = [];
  const placed = segments.map((segment): Segment => {
    if (segment.kind === 'user') return segment;
    const pieces = segment.text.split(pattern).map((piece) => {
      const one = byPlaceholder.get(piece);
      if (!one) return piece;
      const number = one.found++;
      const [visual, placement] = [one.visuals[number], one.placements[number]];
      if (!visual || !placement) return piece;
      pictures.push(visual);
      found.push(placement);
      return placement.prompt;
    });
    return { kind: 'template', text: pieces.join('') };
  });
  for (const { sense, visuals: own, found: count } of waiting)
    if (count !== own.length)
      throw new InputError({
        message: `The prompt has ${count} places for ${sense.kind}s (${sense.placeholder}), but ${own.length} ${sense.kind}s were given.`,
        where: describeVisuals(
          waiting.flatMap((one) => one.visuals),
          waiting.flatMap((one) => one.placements),
        ),
        hint: `Pass as many ${sense.kind}s as the prompt has placeholders.`,
      });
  return { segments: placed, pictures, placements: found };
}

/** @throws InputError for pictures or videos that the model has no sense for */
function checkSeen(model: Model, visuals: readonly Visual[]): void {
  const unseen = visuals.filter((visual) => !senseOf(model, kindOf(visual)));
  if (unseen.length === 0) return;
  throw model.senses.length === 0
    ? new InputError({
        message: `${visuals.length} images were given, but ${model.name} is a text model.`,
        hint: 'Load a model with a vision encoder.',
      })
    : new InputError({
        message: `${unseen.length} ${kindOf(unseen[0]!)}s were given, but ${model.name} sees pictures only.`,
        hint: 'Pass single frames as images.',
      });
}

function place(sense: Sense, visual: Visual, index: number, total: number): ImagePlacement {
  if (sense.kind === 'image' && !isVideo(visual)) return sense.processor.place(visual, index, total);
  if (sense.kind === 'video' && isVideo(visual)) {
    const { frames, fps } = visual;
    const { width = 0, height = 0 } = frames[0] ?? {};
    return sense.processor.place({ width, height, frames: frames.length, fps }, index);
  }
  throw new InputError({ message: `A ${kindOf(visual)} was given where a ${sense.kind} is taken.` });
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/**
 * Number of the picture whose embedding stands at each place.
 *
 * @param pictures in the order of the text
 * @throws InputError if the image tokens among the ids are not as many as the pictures' embeddings
 */
export function locate(
  ids: readonly number[],
  { senses }: Pick<Model, 'senses'>,
  pictures: readonly Visual[],
  placements: readonly ImagePlacement[],
): (number | undefined)[] {
  const owners = placements.flatMap(({ tokens }, i) => Array.from({ length: tokens }, () => i));
  const isVisual = isVisualToken({ senses });
  let next = 0;
  const imageAt = ids.map((id) => (isVisual(id) ? owners[next++] : undefined));
  if (next !== owners.length)
    throw new InputError({
      message: `The images need ${owners.length} tokens ${senses.map(({ placeholder, tokenId }) => `'${placeholder}' (id ${tokenId})`).join(' or ')}, but the prompt has ${next}.`,
      where: describeVisuals(pictures, placements),
      hint: 'The tokenizer and the config.json of the checkpoint do not agree on the image token.',
    });
  return imageAt;
}

/** Sizes of pictures and videos and how their tokens come about, for messages. */
export const describeVisuals = (
  visuals: readonly Visual[],
  placements: readonly ImagePlacement[],
): string | undefined =>
  visuals.length === 0
    ? undefined
    : visuals
        .map((visual, i) => {
          const { width, height } = isVideo(visual) ? visual.frames[0]! : visual;
          const what = isVideo(visual) ? `video ${i}: ${visual.frames.length} frames of` : `image ${i}:`;
          return `${what} ${width} x ${height} pixels, ${placements[i]?.formula ?? ''} = ${placements[i]?.tokens} tokens`;
        })
        .join('; ');
