import { originalInternVitNames } from '@weft/encoder-intern-vit';
import type { CheckpointNames } from '@weft/spec';
import type { PartPaths } from '../compose.js';
import type { ProcessorClasses } from '../processor-files.js';

/** Files of the original repositories name CLIP's class, whose crop their code does not do, or what took its place. */
export const originalClasses: ProcessorClasses = {
  classes: ['CLIPImageProcessor', 'GotOcr2ImageProcessor'],
};

/** Paths of the parts in the original repositories of InternVL and NVLM-D. */
export const originalInternVlPaths: Partial<PartPaths> = { encoder: 'vision_model', connector: 'mlp1' };

/** Places in the original's list of layers, and the names that transformers gives them. */
const connectorNames: Readonly<Record<string, string>> = { 0: 'layer_norm', 1: 'linear_1', 3: 'linear_2' };

/**
 * How names of the original repositories become those of the parts.
 *
 * @param text how the tensors of the language model are found
 */
export function originalInternVlNames(text: CheckpointNames): CheckpointNames {
  const tower = originalInternVitNames('vision_model');
  return {
    ...text,
    split: (name, shape) => tower.split(name, shape) ?? text.split?.(name, shape),
    rename: (name) =>
      tower
        .rename(name)
        .replace(/^mlp1\.(\d)\./, (whole, place: string) =>
          connectorNames[place] ? `mlp1.${connectorNames[place]}.` : whole,
        ),
  };
}
