import { InputError, shown } from '@weft/errors';
import type { TensorData } from '@weft/graph';
import type { ImagePlacement, ImageProcessor, Picture, ProcessedImages } from '@weft/spec';

/** What a processor does, in steps: only the first decides, so that prompt and pixels cannot differ. */
export interface PlanSteps<Visual, Size, Plan> {
  readonly id: string;
  /** What the factory was told, as data. */
  readonly config: object;
  /** What views of zeros are in the reference's tensors: views like others unless given. */
  readonly zeroViews?: 'padding';
  /**
   * How a picture of this size is cut: plain data of numbers, texts and lists, of which `inputs` needs no more to cut
   * it. It does not depend on the picture's number, which is for messages only.
   *
   * @param total pictures of the conversation
   * @throws InputError naming the picture if it cannot be used
   */
  plan(size: Size, index: number, total: number): Plan;
  /** What stands in the prompt for a picture that is cut so. */
  describe(plan: Plan, index: number): Omit<ImagePlacement, 'plan'>;
  /**
   * The encoder's inputs.
   *
   * @param plans parallel to the pictures
   */
  inputs(visuals: readonly Visual[], plans: readonly Plan[]): Readonly<Record<string, TensorData>>;
}

/** What plans are made of. */
interface Measure<Visual, Size> {
  /** `picture` or `video`, for messages. */
  readonly noun: string;
  /** The fields of a size, which callers may give with others. */
  readonly fields: readonly (keyof Size & string)[];
  /** @throws InputError naming the picture or video if it contradicts itself */
  sizeOf(visual: Visual, index: number): Size;
  /** A size in words, for messages. */
  written(size: Size): string;
}

/** A plan as placements carry it. */
interface CarriedPlan<Size, Plan> {
  /** Id of the processor that made it. */
  readonly processor: string;
  /** What it was made of. */
  readonly size: Size;
  readonly cut: Plan;
}

/** What all processors have, of pictures or of videos. */
export interface PlannedProcessor<Visual, Size> {
  readonly id: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly zeroViews?: 'padding';
  place(size: Size, index?: number, total?: number): ImagePlacement;
  process(visuals: readonly Visual[], placements?: readonly ImagePlacement[]): ProcessedImages;
}

/**
 * A processor of these steps. `place` plans; `process` goes by the placements that it is given, and calls `place` where
 * there are none. It refuses placements of other processors, other sizes, or other tiles than their plan has.
 */
export function plannedProcessor<Visual, Size, Plan>(
  { noun, fields, sizeOf, written }: Measure<Visual, Size>,
  steps: PlanSteps<Visual, Size, Plan>,
): PlannedProcessor<Visual, Size> {
  const { id, config } = steps;
  const place = (given: Size, index = 0, total = 1): ImagePlacement => {
    // A size may come as a whole picture, and pixels are no part of a plan.
    const size = Object.fromEntries(fields.map((field) => [field, given[field]])) as Size;
    const cut = steps.plan(size, index, total);
    const plan: CarriedPlan<Size, Plan> = { processor: id, size, cut };
    return { ...steps.describe(cut, index), plan };
  };
  const planOf = (visual: Visual, placement: ImagePlacement, index: number): Plan => {
    const name = `${noun[0]!.toUpperCase()}${noun.slice(1)} ${index}`;
    const made = placement.plan as CarriedPlan<Size, Plan> | undefined;
    if (made?.processor !== id)
      throw new InputError({
        message: `${name} was placed by ${made?.processor ?? 'a processor that left no plan'}, but is to be processed by ${id}.`,
        where: 'placements',
        hint: 'Pass what place of this processor returned.',
      });
    const own = sizeOf(visual, index);
    const { size, cut } = made;
    if (!isSame(own, size))
      throw new InputError({
        message: `${name} is ${written(own)}, but was placed as ${written(size)}.`,
        where: 'placements',
        hint: 'Pass placements in the order of what they place, or none.',
      });
    const planned = steps.describe(cut, index);
    const isPlanned =
      planned.tiles === placement.tiles && (!placement.layout || isSame(planned.layout, placement.layout));
    if (!isPlanned)
      throw new InputError({
        message: `${name} was placed as ${tilesIn(placement)}, but its plan has ${tilesIn(planned)}.`,
        where: 'placements',
        hint: 'Pass what place returned, unchanged.',
      });
    return cut;
  };
  return {
    id,
    config: { ...config },
    ...(steps.zeroViews ? { zeroViews: steps.zeroViews } : {}),
    place,
    process: (visuals, placements) => {
      if (placements !== undefined && !Array.isArray(placements))
        throw new InputError({
          message: `The placements are ${shown(placements)}, expected a list.`,
          where: 'placements',
          hint: 'Pass one for each, or none.',
        });
      if (placements && placements.length !== visuals.length)
        throw new InputError({
          message: `${placements.length} placements were given for ${visuals.length} ${noun}s.`,
          where: 'placements',
          hint: 'Pass one for each, or none.',
        });
      const images = placements ?? visuals.map((visual, i) => place(sizeOf(visual, i), i, visuals.length));
      const plans = visuals.map((visual, i) => planOf(visual, images[i]!, i));
      return { inputs: steps.inputs(visuals, plans), images };
    },
  };
}

/** A processor of pictures, whose plans depend on their width and height in pixels. */
export const plannedImages = <Plan>(steps: PlanSteps<Picture, PictureSize, Plan>): ImageProcessor =>
  plannedProcessor(
    {
      noun: 'picture',
      fields: ['width', 'height'],
      sizeOf: ({ width, height }) => ({ width, height }),
      written: ({ width, height }) => `${width} x ${height} pixels`,
    },
    steps,
  );

type PictureSize = Pick<Picture, 'width' | 'height'>;

/** Whether two pieces of plain data have the same fields. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return Object.is(a, b);
  const [own, other] = [a, b] as [Record<string, unknown>, Record<string, unknown>];
  return [...new Set([...Object.keys(own), ...Object.keys(other)])].every((key) =>
    isSame(own[key], other[key]),
  );
}

const tilesIn = ({ tiles, layout }: Pick<ImagePlacement, 'tiles' | 'layout'>): string =>
  `${tiles} tile${tiles === 1 ? '' : 's'}${layout ? ` of ${layout.frames} x ${layout.rows} x ${layout.columns} patches` : ''}`;
