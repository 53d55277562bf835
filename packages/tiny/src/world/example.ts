import { randomCanvas, wear } from './augment.js';
import { ask, type Dialogue, type DialogueOptions } from './questions.js';
import { Random } from './random.js';
import { paint, type Raster } from './raster.js';
import { randomScene, type Scene, type SceneOptions } from './scene.js';

/** Resizes a picture as Pillow does; `resize` of `@weft/image` fits. */
export type Resize = (
  picture: Raster,
  to: { readonly width: number; readonly height: number; readonly filter: 'bicubic' },
) => { readonly data: Uint8Array };

/** What an example is made of besides its seed. */
export interface ExampleOptions extends SceneOptions, DialogueOptions {
  readonly resize: Resize;
  /** Width the scene is painted at before it is resized, pixels; by default drawn by lot from 64 to 512. */
  readonly canvas?: number | undefined;
  /** Whether blur, noise and JPEG artefacts may wear the picture; default true. */
  readonly worn?: boolean | undefined;
}

/** A picture at the model's input size with questions about it. */
export interface Example {
  readonly scene: Scene;
  /** `[inputSize, inputSize, 3]`, 0 to 255. */
  readonly pixels: Uint8Array;
  readonly dialogues: readonly Dialogue[];
}

/**
 * Makes one example; the same seed and options give the same example, in any thread.
 *
 * @param inputSize - Width and height of the model's input in pixels.
 */
export const makeExample = (seed: number, inputSize: number, options: ExampleOptions): Example => {
  const random = new Random(seed);
  const scene = randomScene(random, options);
  const dialogues = ask(scene, random, options);
  const size = options.canvas ?? randomCanvas(random);
  const shift = [random.between(-0.5, 0.5), random.between(-0.5, 0.5)] as const;
  const picture = paint(scene, size, { shift });
  if (options.worn ?? true) wear(picture, random);
  const pixels =
    size === inputSize
      ? picture.data
      : options.resize(picture, { width: inputSize, height: inputSize, filter: 'bicubic' }).data;
  return { scene, pixels, dialogues };
};
