import type { FrequencyRule, ImagePlacement } from '@weft/spec';
import { sharedTokens, type PromptKeys } from './prefix-store.js';
import type { Prompt } from './prompt.js';
import { isVideo, type Visual } from './visuals.js';

/**
 * A name for what a picture or a video becomes: of its pixels, and of how it was placed, as the number of tiles may
 * depend on other pictures.
 *
 * @param placement plain data
 */
export async function pictureKey(visual: Visual, placement: unknown): Promise<string> {
  const frames = isVideo(visual) ? visual.frames : [visual];
  const pixels = await Promise.all(
    frames.map(async ({ width, height, data }) => `${width}x${height}:${await digest(data)}`),
  );
  return `${JSON.stringify([isVideo(visual) ? visual.fps : 0, placement])} ${pixels.join()}`;
}

/** The text of a placement is long, and the ids tell it. */
const withoutPrompt = ({ prompt: _, ...placement }: ImagePlacement): unknown => placement;

/** SHA-256 in base 64. */
async function digest(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return btoa(String.fromCharCode(...new Uint8Array(hash)));
}

/** What tells a prompt from another. */
export interface KeyedPrompt extends PromptKeys {
  /** Names of its pictures. */
  readonly pictureKeys: readonly string[];
  /** What tokens see that follow it. */
  readonly sight: string | undefined;
}

/**
 * What the keys and values of each token of a prompt depend on beside the ids up to it: the picture that it stands for,
 * and the pictures that it sees by cross-attention.
 *
 * @param options.unseenAttend whether tokens that see no tile depend on all pictures, later ones as well; not unless given
 * @param options.frequencies how frequencies depend on the length of the prompt; not at all unless given
 */
export async function keyedPrompt(
  { ids, imageAt, pictures, placements, visible, positions }: Prompt,
  {
    unseenAttend = false,
    frequencies,
  }: { readonly unseenAttend?: boolean | undefined; readonly frequencies?: FrequencyRule | undefined } = {},
): Promise<KeyedPrompt> {
  const pictureKeys = await Promise.all(
    pictures.map((one, i) => pictureKey(one, withoutPrompt(placements[i]!))),
  );
  const owners = placements.flatMap(({ cross }, i) => (cross?.tiles ?? []).map(() => i));
  const tiles = owners.length;
  const sightOf = (at: number): string | undefined => {
    if (!visible || tiles === 0) return undefined;
    const row = visible.subarray(at * tiles, (at + 1) * tiles);
    if (!row.includes(1)) return unseenAttend ? pictureKeys.join('+') : undefined;
    const seen = new Set(owners.filter((_, tile) => row[tile] === 1));
    const which = row.subarray(0, row.lastIndexOf(1) + 1).join('');
    return `${which} ${[...seen].map((image) => pictureKeys[image]).join('+')}`;
  };
  const marks = imageAt.map((image, at): string | undefined => {
    const place = image === undefined ? undefined : pictureKeys[image];
    const sight = sightOf(at);
    return place === undefined ? sight : sight === undefined ? place : `${place} ${sight}`;
  });
  return {
    ids,
    marks,
    pictureKeys,
    sight: sightOf(ids.length - 1),
    frequencies: frequencies?.nameFor(positions?.next ?? ids.length),
  };
}

/** Tokens at the start that a prompt shares with what a sequence holds; one at least is left to read. */
export const sharedPrefix = (prompt: PromptKeys, held: PromptKeys): number =>
  Math.min(prompt.ids.length - 1, sharedTokens(prompt, held));

/**
 * What a sequence holds that went on after a prompt: tokens that follow see what its last token saw. Frequencies are
 * those of the prompt, as prompts that share more than it are longer, unless the text was read anew on the way.
 */
export const continued = (
  { ids, marks, sight, frequencies }: KeyedPrompt,
  more: readonly number[],
  length: number,
  rule?: FrequencyRule,
): PromptKeys => ({
  ids: [...ids, ...more].slice(0, length),
  marks: [...marks, ...more.map(() => sight)].slice(0, length),
  frequencies: length > (rule?.readsAnewBeyond ?? Infinity) ? rule!.nameFor(length) : frequencies,
});
