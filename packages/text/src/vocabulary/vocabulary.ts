import { InputError } from '@weft/errors';

/** Tokens and their ids. */
export interface Vocabulary {
  /** Ids of the tokens that encoding may give. */
  readonly ids: ReadonlyMap<string, number>;
  readonly largestId: number;
  /** The token for text that no other token stands for, as the file names it. */
  readonly unknownToken: string | undefined;
}

/** The ids of one word. */
export type Encode = (word: string) => readonly number[];

/** The tokens `<0x00>` to `<0xFF>` for the UTF-8 bytes of a text; undefined where the vocabulary lacks one. */
export function byteTokens({ ids }: Vocabulary): (text: string) => readonly number[] | undefined {
  const tokens = Array.from({ length: 256 }, (_, byte) =>
    ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
  const encoder = new TextEncoder();
  return (text) => {
    const found: number[] = [];
    for (const byte of encoder.encode(text)) {
      const id = tokens[byte];
      if (id === undefined) return undefined;
      found.push(id);
    }
    return found;
  };
}

/** The error for text that neither a token nor an unknown token stands for. */
export const unknownText = (text: string, { unknownToken }: Vocabulary): InputError =>
  new InputError({
    message:
      `The vocabulary has no token for ${JSON.stringify(text.slice(0, 40))}` +
      (unknownToken === undefined
        ? ', and the file names no unknown token.'
        : `, nor the unknown token '${unknownToken}' that the file names.`),
    where: 'tokenizer.json, model',
    hint: 'Leave the text out, or save the tokenizer with an unknown token.',
  });
