import { UnsupportedError } from '@weft/errors';
import { byteAlphabet } from './byte-alphabet.js';
import { compilePattern, replaceMatches, type PatternConfig } from './pattern/text-pattern.js';

/** A `decoder` entry of tokenizer.json. */
export interface DecoderConfig {
  readonly type: string;
  readonly decoders?: readonly DecoderConfig[];
  readonly pattern?: PatternConfig;
  readonly content?: string;
  readonly start?: number;
  readonly stop?: number;
  readonly replacement?: string;
  readonly prepend_scheme?: string;
  readonly add_prefix_space?: boolean;
  readonly prefix?: string;
  readonly suffix?: string;
  readonly cleanup?: boolean;
  readonly pad_token?: string;
  readonly word_delimiter_token?: string;
}

/** One step from tokens to text. It takes pieces one by one and keeps what a later piece may still change. */
export interface DecoderStage {
  push(piece: string): string[];
  flush(): string[];
}

type MakeStage = () => DecoderStage;

const each = (change: (piece: string) => string): DecoderStage => ({
  push: (piece) => [change(piece)],
  flush: () => [],
});

function whole(change: (text: string) => string): DecoderStage {
  let text = '';
  return {
    push(piece) {
      text += piece;
      return [];
    },
    flush() {
      const result = change(text);
      text = '';
      return [result];
    },
  };
}

const bytes = new Map(byteAlphabet().map((character, byte) => [character, byte]));

function byteLevel(): DecoderStage {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const encoder = new TextEncoder();
  return {
    push(piece) {
      const values = Array.from(piece, (character) => bytes.get(character));
      // A token outside the alphabet (an added token) stands for its own text.
      const known = values.every((value) => value !== undefined);
      return [
        decoder.decode(known ? Uint8Array.from(values as number[]) : encoder.encode(piece), { stream: true }),
      ];
    },
    flush: () => [decoder.decode()],
  };
}

function byteFallback(): DecoderStage {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
  let bytes: number[] = [];
  const flush = (): string[] => {
    if (bytes.length === 0) return [];
    const group = Uint8Array.from(bytes);
    bytes = [];
    try {
      return [decoder.decode(group)];
    } catch {
      // The reference gives up a whole group of byte tokens, one replacement character for each.
      return Array.from(group, () => '\uFFFD');
    }
  };
  return {
    push(piece) {
      const hex = /^<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/.exec(piece)?.[1];
      if (hex === undefined) return [...flush(), piece];
      bytes.push(Number.parseInt(hex, 16));
      return [];
    },
    flush,
  };
}

function strip({ content = ' ', start = 0, stop = 0 }: DecoderConfig, fused: boolean): DecoderStage {
  const strippable = (characters: readonly string[], limit: number): number => {
    const first = characters.slice(0, limit).findIndex((character) => character !== content);
    return first < 0 ? Math.min(limit, characters.length) : first;
  };
  if (!fused)
    return each((piece) => {
      const characters = [...piece];
      const left = strippable(characters, start);
      const right = strippable([...characters].reverse(), stop);
      return characters.slice(left, characters.length - right).join('');
    });
  let left = start;
  let held: string[] = [];
  return {
    push(piece) {
      let characters = [...piece];
      if (left > 0) {
        const cut = strippable(characters, left);
        left = cut < characters.length ? 0 : left - cut;
        characters = characters.slice(cut);
      }
      held.push(...characters);
      const keep = strippable([...held].reverse(), stop);
      return [held.splice(0, held.length - keep).join('')];
    },
    flush() {
      held = [];
      left = start;
      return [];
    },
  };
}

function replace(config: DecoderConfig, fused: boolean): MakeStage {
  const content = config.content ?? '';
  const text = config.pattern?.String;
  if (fused && text && text.length > 1) return () => replaceAcross(text, content);
  const find = compilePattern(config.pattern ?? {});
  const change = (piece: string): string => (piece === '' ? piece : replaceMatches(find, piece, content));
  const isOneCharacter = text !== undefined && text.length === 1;
  return () => (fused && !isOneCharacter ? whole(change) : each(change));
}

/** Replaces a text that may be spread over pieces. What could be its beginning is held back. */
function replaceAcross(text: string, content: string): DecoderStage {
  let held = '';
  return {
    push(piece) {
      held += piece;
      let ready = '';
      for (let at = held.indexOf(text); at >= 0; at = held.indexOf(text)) {
        ready += held.slice(0, at) + content;
        held = held.slice(at + text.length);
      }
      let keep = Math.min(text.length - 1, held.length);
      while (!text.startsWith(held.slice(held.length - keep))) keep--;
      ready += held.slice(0, held.length - keep);
      held = held.slice(held.length - keep);
      return [ready];
    },
    flush() {
      const rest = held;
      held = '';
      return [rest];
    },
  };
}

function metaspace(config: DecoderConfig, fused: boolean): DecoderStage {
  const mark = config.replacement ?? '▁';
  const prepended =
    (config.prepend_scheme ?? (config.add_prefix_space === false ? 'never' : 'always')) !== 'never';
  let first = true;
  return {
    push(piece) {
      const text = piece.replaceAll(mark, first && prepended ? '' : ' ');
      first = fused && first;
      return [text];
    },
    flush() {
      first = true;
      return [];
    },
  };
}

function wordPiece(config: DecoderConfig): DecoderStage {
  const prefix = config.prefix ?? '##';
  let first = true;
  return {
    push(piece) {
      const joined = first ? piece : piece.startsWith(prefix) ? piece.slice(prefix.length) : ` ${piece}`;
      first = false;
      return [config.cleanup ? cleanUp(joined, true) : joined];
    },
    flush() {
      first = true;
      return [];
    },
  };
}

/** Connectionist temporal classification: a token that comes again right after itself counts once. */
function ctc(config: DecoderConfig): DecoderStage {
  const [pad, delimiter] = [config.pad_token ?? '<pad>', config.word_delimiter_token ?? '|'];
  let previous: string | undefined;
  return {
    push(piece) {
      if (piece === previous) return [];
      previous = piece;
      const text = pad === '' ? piece : piece.replaceAll(pad, '');
      const cleaned = (config.cleanup ?? true) ? cleanUp(text, true).replaceAll(delimiter, ' ') : text;
      return cleaned === '' ? [] : [cleaned];
    },
    flush() {
      previous = undefined;
      return [];
    },
  };
}

function suffixed(suffix: string): DecoderStage {
  let held: string | undefined;
  return {
    push(piece) {
      const ready = held === undefined ? [] : [held.replaceAll(suffix, ' ')];
      held = piece;
      return ready;
    },
    flush() {
      const last = held === undefined ? [] : [held.replaceAll(suffix, '')];
      held = undefined;
      return last;
    },
  };
}

function spaced(): DecoderStage {
  let first = true;
  return {
    push(piece) {
      const text = first ? piece : ` ${piece}`;
      first = false;
      return [text];
    },
    flush() {
      first = true;
      return [];
    },
  };
}

function cleanUp(text: string, contractions: boolean): string {
  const joined = text
    .replaceAll(' .', '.')
    .replaceAll(' ?', '?')
    .replaceAll(' !', '!')
    .replaceAll(' ,', ',')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m");
  return (contractions ? joined.replaceAll(' do not', " don't") : joined)
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");
}

/** The stage that takes the spaces before punctuation and English contractions away, as transformers does. */
export function cleanUpStage(): DecoderStage {
  let held = '';
  return {
    push(piece) {
      held += piece;
      // No pattern reaches over a character that can only end one.
      const safe = held.replace(/[ 'nvr]*$/, '');
      held = held.slice(safe.length);
      return [cleanUp(safe, false)];
    },
    flush() {
      const rest = cleanUp(held, false);
      held = '';
      return [rest];
    },
  };
}

/**
 * Builds the way from tokens to text from a `decoder` of tokenizer.json. All decoding goes through these stages, so
 * text that is emitted token by token equals text that is decoded at once.
 *
 * @returns a function that makes the stages for one text; patterns are compiled once
 * @throws {UnsupportedError} for a type that is not known.
 */
export function decoderStages(config: DecoderConfig | null | undefined): () => DecoderStage[] {
  if (!config) return () => [spaced()];
  let fused = false;
  const makers = flatten(config).map((step): MakeStage => {
    const fusedBefore = fused;
    switch (step.type) {
      case 'ByteLevel':
        fused = true;
        return byteLevel;
      case 'Fuse':
        fused = true;
        return () => each((piece) => piece);
      case 'ByteFallback':
        return byteFallback;
      case 'Strip':
        return () => strip(step, fusedBefore);
      case 'Replace':
        return replace(step, fusedBefore);
      case 'Metaspace':
        return () => metaspace(step, fusedBefore);
      case 'WordPiece':
        return () => wordPiece(step);
      case 'BPEDecoder':
        return () => suffixed(step.suffix ?? '</w>');
      case 'CTC':
        return () => ctc(step);
    }
    throw new UnsupportedError({
      message: `The token decoder '${step.type}' is not supported.`,
      where: 'tokenizer.json, decoder',
      hint: 'Supported: Sequence, ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace, WordPiece, BPEDecoder, CTC.',
    });
  });
  return () => makers.map((make) => make());
}

const flatten = (config: DecoderConfig): DecoderConfig[] =>
  config.type === 'Sequence' ? (config.decoders ?? []).flatMap(flatten) : [config];

/** Sends a piece through all stages and returns the text that is final. */
export const pushThrough = (stages: readonly DecoderStage[], piece: string): string =>
  stages.reduce<string[]>((pieces, stage) => pieces.flatMap((each) => stage.push(each)), [piece]).join('');

/** Ends the input of all stages, first to last, and returns the rest of the text. */
export const flushThrough = (stages: readonly DecoderStage[]): string =>
  stages
    .map((stage, at) =>
      stage
        .flush()
        .map((piece) => pushThrough(stages.slice(at + 1), piece))
        .join(''),
    )
    .join('');
