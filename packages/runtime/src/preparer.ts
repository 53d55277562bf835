import { UnsupportedError } from '@weft/errors';
import { sightRuns } from '@weft/feeds';
import { senseOf, type ImagePlacement, type ImageSense, type Model, type ProcessedImages } from '@weft/spec';
import type { Engine, HeldPicture, Sight } from './engine.js';
import { isVideo, type Visual } from './visuals.js';

/** A picture or a video, and how the prompt placed it. Plain data, which passes between threads. */
export interface Look {
  readonly visual: Visual;
  readonly placement: ImagePlacement;
}

/** A picture that an engine holds, and how it came about. */
export interface SeenPicture extends HeldPicture {
  /** Numbers of the tiles whose embeddings stand at the placeholder tokens; all of them if absent. */
  readonly placed: readonly number[] | undefined;
  /** ms. */
  readonly preprocess: number;
  /** ms of the run that it was part of. */
  readonly encode: number;
}

/** Turns pictures into tensors: all that stands between pixels and an engine. */
export type Preparer = (look: Look) => Sight;

/** Prepares and encodes pictures. With `keep` their embeddings are held in any case. */
export type Eye = (looks: readonly Look[], keep?: boolean) => Promise<readonly SeenPicture[]>;

/** The preparer of a model: the processors of its senses, and what its encoder makes of their tensors. */
export const preparerOf =
  (model: Model): Preparer =>
  (look) => {
    const { inputs } = processed(model, look);
    return { runs: sightRuns(model, inputs).map((run) => run.inputs), share: look.placement.cross };
  };

function processed(model: Model, { visual, placement }: Look): ProcessedImages {
  if (isVideo(visual)) {
    const video = senseOf(model, 'video');
    if (!video) throw new UnsupportedError({ message: 'The model takes no videos.' });
    return video.processor.process([visual], [placement]);
  }
  return requireSight(model).processor.process([visual], [placement]);
}

/** @throws UnsupportedError if the model has no sense for pictures */
export function requireSight(model: Model): ImageSense {
  const sense = senseOf(model, 'image');
  if (!sense) throw new UnsupportedError({ message: 'The model takes no images.' });
  return sense;
}

/** An eye that prepares pictures in the thread that calls. */
export function eyeOf(preparer: Preparer, engine: Pick<Engine, 'see'>): Eye {
  return async (looks, keep) => {
    const prepared = looks.map((look) => {
      const started = performance.now();
      const sight = preparer(look);
      return { sight, preprocess: performance.now() - started };
    });
    const started = performance.now();
    const held = await engine.see(
      prepared.map(({ sight }) => sight),
      keep,
    );
    const encode = performance.now() - started;
    return held.map((picture, i) => {
      const { sight, preprocess } = prepared[i]!;
      return { ...picture, placed: sight.share?.placed, preprocess, encode };
    });
  };
}
