import type { ImagePlacement, Picture } from '@weft/spec';
import type { Segment } from '@weft/text';
import type { ConversationTools } from './message.js';
import { locate, placeVisuals } from './place-visuals.js';
import { encode, isFramed } from './render.js';

/**
 * Ids of a rendered conversation that was cut into pieces, each with its pictures' tokens in place. Joined they are the
 * ids of the whole text, except where a token would span a cut: such a piece is encoded on its own, since a model that
 * is asked to go on from the cut reads the same.
 *
 * @param known what the processor said of the pictures; it is asked unless given
 * @throws InputError if pictures and their places do not add up
 */
export function encodePieces(
  tools: ConversationTools,
  pieces: readonly (readonly Segment[])[],
  pictures: readonly Picture[],
  known?: readonly ImagePlacement[],
): number[][] {
  const { model, tokenizer } = tools;
  const { segments, placements } = placeVisuals(pieces.flat(), model, pictures, known);
  const bare = (text: readonly Segment[]): number[] => encode(tokenizer, text, false);
  const isWhole = isFramed(tools, { messages: [] }, segments);

  let [from, before]: [number, number[]] = [0, []];
  const result = pieces.map((piece, i): number[] => {
    const end = from + piece.length;
    const all = bare(segments.slice(0, end));
    const own = after(before, all) ?? encodeWithin(bare, segments.slice(from, end));
    [from, before] = [end, all];
    return i === 0 && isWhole
      ? [...firstTokens(encode(tokenizer, segments.slice(0, end), true), own), ...own]
      : own;
  });
  locate(result.flat(), model, pictures, placements);
  return result;
}

/** The ids that follow a beginning, if they begin so. */
const after = (beginning: readonly number[], ids: readonly number[]): number[] | undefined =>
  beginning.every((id, i) => ids[i] === id) ? ids.slice(beginning.length) : undefined;

/**
 * Ids of a text that does not begin a sequence: tokenizers such as Llama's put a space before a text, so it is encoded
 * after a sign that no token joins with it.
 */
function encodeWithin(bare: (text: readonly Segment[]) => number[], piece: readonly Segment[]): number[] {
  for (const text of ['\n', '.', ':']) {
    const sign: Segment = { kind: 'user', text };
    const own = after(bare([sign]), bare([sign, ...piece]));
    if (own) return own;
  }
  return bare(piece);
}

/** The tokens that the tokenizer puts before a text. */
function firstTokens(framed: readonly number[], bare: readonly number[]): readonly number[] {
  for (let start = 0; start + bare.length <= framed.length; start++)
    if (bare.every((id, i) => framed[start + i] === id)) return framed.slice(0, start);
  return [];
}
