import type { DecodeOptions, IncrementalDecoder, Tokenizer } from './tokenizer.js';

/** Emits the text of a growing sequence of ids; all parts joined equal `decode` of all ids. */
export type StreamingDecoder = IncrementalDecoder;

/**
 * A decoder for generated ids that come one by one. Characters that are spread over several tokens are held back until
 * they are whole, and the work for one token does not grow with the length of the text.
 *
 * Vocabularies with byte fallback (Llama 2) hold a row of byte tokens back until another token ends it, because the
 * reference decides on the whole row whether it is valid UTF-8.
 */
export function createStreamingDecoder(tokenizer: Tokenizer, options: DecodeOptions = {}): StreamingDecoder {
  return tokenizer.incrementalDecoder(options);
}
