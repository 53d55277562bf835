import type { ImagePlacement, Json, ProcessorContext } from '@weft/spec';
import { fileReader } from './file-fields.js';

/** Text that a picture's placeholder tokens stand in. */
export interface TileText {
  /** Before the first view, and after the last. */
  readonly frame: readonly [before: string, after: string];
  /** Before each view; `{n}` is its number, from 1. */
  readonly tag: string;
  /** Before the last view, or the only one. */
  readonly lastTag: string;
}

export const plainText: TileText = { frame: ['', ''], tag: '', lastTag: '' };

/** @throws ConfigError naming the field that is not text */
export function readTileText(section: Json): TileText {
  const read = fileReader(section);
  const frame = read.raw('frame') ?? plainText.frame;
  if (!Array.isArray(frame) || frame.length !== 2 || !frame.every((text) => typeof text === 'string'))
    return read.wrong('frame', 'two texts: before a picture, and after it');
  return {
    frame: frame as [string, string],
    tag: read.text('tag', ''),
    lastTag: read.text('lastTag', ''),
  };
}

/**
 * What stands for a picture of so many views. Under cross-attention that is one token for the picture or for each view,
 * or the tokens of those views whose embeddings are placed.
 */
export function placeViews(
  views: number,
  tokensPerView: number,
  text: TileText,
  { cross, placeholder }: Pick<ProcessorContext, 'cross' | 'placeholder'>,
): Omit<ImagePlacement, 'plan'> {
  const [before, after] = text.frame;
  const tagOf = (view: number): string =>
    view === views - 1 ? text.lastTag : text.tag.replace('{n}', String(view + 1));
  const written = (tokens: readonly (readonly [view: number, count: number])[]): string =>
    before + tokens.map(([view, count]) => tagOf(view) + placeholder.repeat(count)).join('') + after;
  const all = Array.from({ length: views }, (_, i) => i);
  if (!cross)
    return {
      tiles: views,
      tokens: views * tokensPerView,
      formula: `${plural(views, 'tile')} of ${tokensPerView}`,
      prompt: written(all.map((view) => [view, tokensPerView])),
    };
  const { tokens, cross: share } = cross.place(views);
  const placed = share?.placed ?? [];
  const marks = tokens === views ? all : [views - 1];
  const prompt =
    placed.length > 0
      ? written(placed.map((view) => [view, tokens / placed.length]))
      : written(marks.map((view) => [view, tokens / marks.length]));
  const seen = share?.seen ?? 0;
  const keys = cross.tokensPerTile + (share?.tags?.[0]?.length ?? 0);
  const shown =
    placed.length > 0
      ? `${plural(placed.length, 'view')} of ${tokens / placed.length}`
      : plural(tokens, 'token');
  return {
    tiles: views,
    tokens,
    formula: `${shown}, and ${seen} x ${keys} embeddings for cross-attention`,
    prompt,
    cross: share,
  };
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
