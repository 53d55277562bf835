import { membership, type CharacterSet } from './character-set.js';
import type { PatternNode } from './syntax.js';

const [upper, lower] = ['[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]', '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'];
const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const spaces = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const cased = (end: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+${end}|[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*${end}`;
const words = (letters: string, numbers: string): string =>
  `${contractions}|[^\\r\\n\\p{L}\\p{N}]?${letters}+|${numbers}| ?[^\\s${letters === '\\p{L}' ? letters : '\\p{L}\\p{M}'}\\p{N}]+[\\r\\n]*|${spaces}`;

/**
 * Patterns of published tokenizers. JavaScript's own engine takes a time that grows evenly with any text for each of
 * them: wherever an alternative of theirs fails, it has looked at one run of like characters only, which the next
 * alternative then takes.
 */
export const publishedPatterns: ReadonlySet<string> = new Set([
  // GPT-2 and all that took its pattern: OPT, GPT-NeoX, Phi, StarCoder, SmolLM, OLMo.
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  // Llama 3, cl100k, DBRX, OLMo 2.
  words('\\p{L}', '\\p{N}{1,3}'),
  // Qwen2, Qwen3, and those built on them.
  words('\\p{L}', '\\p{N}'),
  words('[\\p{L}\\p{M}]', '\\p{N}'),
  // o200k: GPT-4o, gpt-oss, Phi-4, Llama 4.
  `${cased(`${contractions}?`)}|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${spaces}`,
  // Tekken: Mistral NeMo, Pixtral.
  `${cased('')}|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${spaces}`,
  // DeepSeek V2, V3 and Janus.
  '\\p{N}{1,3}',
  '[一-龥\u3040-ゟ゠-ヿ]+',
  `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${spaces}`,
  '[\\r\\n]',
  '\\p{N}',
  // CLIP.
  "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
  // Falcon, beside GPT-2's.
  '[0-9][0-9][0-9]',
  // BLOOM and its kin.
  ' ?[^(\\s|[.,!?…。，、।۔،])]+',
  // Normalizers: CLIP, T5, XLM-R.
  '\\s+',
  ' {2,}',
]);

/** The pattern as JavaScript writes it, for the flag `v`. */
export function javaScriptSource(node: PatternNode): string {
  const group = (item: PatternNode): string => `(?:${javaScriptSource(item)})`;
  switch (node.kind) {
    case 'set':
      return node.set.negative ? `[^${sourceOf(node.set)}]` : sourceOf(node.set);
    case 'sequence':
      return node.items
        .map((item) => (item.kind === 'choice' ? group(item) : javaScriptSource(item)))
        .join('');
    case 'choice':
      return node.options.map(javaScriptSource).join('|');
    case 'repeat':
      if (node.mode === 'possessive') break;
      return `${group(node.item)}{${node.least},${node.most === Infinity ? '' : node.most}}${node.mode === 'lazy' ? '?' : ''}`;
    case 'look':
      return `(?${node.ahead ? '' : '<'}${node.negative ? '!' : '='}${javaScriptSource(node.item)})`;
    case 'anchor':
    case 'atomic':
      break;
  }
  throw new TypeError(`A published pattern does not have a part of kind '${node.kind}'.`);
}

/** Node 20 has no (?i:…). Beside the two ASCII cases only the long s and the Kelvin sign fold to ASCII letters. */
function sourceOf(set: CharacterSet): string {
  if (!set.ignoreCase) return set.source;
  const has = membership({ ...set, negative: false });
  const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\u017F\u212A'];
  return `[${set.source}${letters.filter((letter) => has(letter.codePointAt(0)!)).join('')}]`;
}
