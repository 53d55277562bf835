import { ConfigError } from '@weft/errors';
import { senseOf, type Json, type Model } from '@weft/spec';
import { files, outsideFile } from '@weft/weights';
import { readJsonObject } from './read-json-object.js';

/** Files of a tokenizer beside `tokenizer.json` that are copied with it. */
const besideTokenizer = [
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'tokenizer.model',
];

/** Whether a file says how text is written for a model: those that are copied, and those from which older tools made them. */
export const isTokenizerFile = (name: string): boolean =>
  ['tokenizer.json', ...besideTokenizer, 'vocab.json', 'vocab.txt', 'merges.txt', 'tekken.json'].includes(
    name,
  );

/**
 * The files of a folder's tokenizer, with the model's placeholder among its tokens.
 *
 * @returns texts and bytes by the names of the files
 * @throws ConfigError if there is no `tokenizer.json`, if it has no place for the placeholder, or if a file is a link that
 * leads out of the folder
 */
export async function tokenizerWith(model: Model, folder: string): Promise<Map<string, string | Uint8Array>> {
  const where = files.join(files.resolve(folder), 'tokenizer.json');
  const tokenizer = await ownJson(folder, 'tokenizer.json');
  if (!tokenizer)
    throw new ConfigError({
      message: 'There is no tokenizer.json.',
      where,
      hint: 'Pass a folder with a fast tokenizer.',
    });
  const result = new Map<string, string | Uint8Array>();
  const sense = senseOf(model, 'image');
  const written = sense
    ? withToken(tokenizer, { content: sense.placeholder, id: sense.tokenId }, where)
    : tokenizer;
  result.set('tokenizer.json', `${JSON.stringify(written, null, 2)}\n`);
  for (const name of besideTokenizer) {
    if (!(await isOwn(folder, name))) continue;
    result.set(name, await files.readAll(files.join(folder, name)));
  }
  return result;
}

/** A JSON file of a folder that is to be copied. @throws ConfigError if it is a link that leads out of the folder */
export const ownJson = async (folder: string, name: string): Promise<Json | undefined> =>
  (await isOwn(folder, name)) ? readJsonObject(files.join(folder, name)) : undefined;

/** Whether a folder has a file. @throws ConfigError if that is a link that leads out of the folder */
async function isOwn(folder: string, name: string): Promise<boolean> {
  const outside = await outsideFile(folder, name).catch((error: unknown) => {
    if (files.isMissing(error)) return null;
    throw error;
  });
  if (outside === null) return false;
  if (!outside) {
    if ((await files.kindOf(files.join(folder, name))) === 'file') return true;
    throw new ConfigError({
      message: `${name} is a folder, expected a file.`,
      where: files.resolve(folder),
      hint: 'The download of this folder was not finished, or another program wrote it. Download the file again.',
    });
  }
  throw new ConfigError({
    message: `${name} is a link to ${JSON.stringify(outside.target)}, outside of its folder, and is not copied.`,
    where: files.resolve(folder),
    hint: outside.hint,
  });
}

interface Token {
  readonly id: number;
  readonly content: string;
}

/**
 * `tokenizer.json` with one more token. The tokenizers library does not read the ids of added tokens: it numbers those that the
 * vocabulary lacks from the size of the vocabulary on, in the order of the file (0.23, `AddedVocabulary`). So ids between are
 * given to tokens that no text has, and an id that cannot be reached is refused.
 */
function withToken(tokenizer: Json, { content, id }: Token, where: string): Json {
  const added = (tokenizer['added_tokens'] ?? []) as readonly (Token & Json)[];
  const vocabulary = vocabularyOf(tokenizer);
  const known = [...added.map((token) => [token.content, token.id] as const), ...vocabulary];
  const own = known.find(([piece]) => piece === content)?.[1];
  const isThere = own === id && added.some((token) => token.id === id);
  if (isThere && libraryIds(new Map(vocabulary), added).get(content) === id) return tokenizer;
  const taken = known.find(([piece, other]) => other === id && piece !== content)?.[0];
  if (taken !== undefined || (own !== undefined && own !== id))
    throw new ConfigError({
      message:
        taken === undefined
          ? `The tokenizer has '${content}' at ${own}, not at ${id}.`
          : `The tokenizer uses the id ${id} for '${taken}' already.`,
      where,
      hint:
        own === undefined
          ? 'Choose an imageTokenId that is free.'
          : `Compose the model with imageTokenId: ${own}.`,
    });
  const pieces = new Map(vocabulary);
  const contents = new Set(known.map(([piece]) => piece));
  const result: (Token & Json)[] = [];
  let next = pieces.size;
  const all = isThere ? added : [...added, { ...plainToken, id, content }];
  for (const token of all.toSorted((a, b) => a.id - b.id)) {
    if (!pieces.has(token.content)) {
      for (; next < token.id; next++)
        result.push({ ...plainToken, id: next, content: unusedName(next, contents) });
      next++;
    }
    result.push(token);
  }
  const library = libraryIds(pieces, result);
  const other = result.find((token) => library.get(token.content) !== token.id);
  const holders = new Map(vocabulary.map(([piece, of]) => [of, piece]));
  const shared = result.find((token) => !pieces.has(token.content) && holders.has(token.id));
  if (other || shared)
    throw new ConfigError({
      message: other
        ? `The token '${other.content}' cannot have the id ${other.id}: the tokenizers library, which numbers added tokens from the size of the vocabulary on, would give it ${library.get(other.content)}.`
        : `The token '${content}' cannot have the id ${id}: a token before it would take the id ${shared!.id} of '${holders.get(shared!.id)}', as the vocabulary has holes.`,
      where,
      hint: 'Choose an imageTokenId beyond all ids of the tokenizer, and a tokenizer whose vocabulary has no holes.',
    });
  return { ...tokenizer, added_tokens: result };
}

/**
 * Ids of the added tokens of a `tokenizer.json` as the tokenizers library 0.23 gives them, whatever the file says: those of
 * the vocabulary keep theirs, others are numbered in the order of the file from the size of the vocabulary on.
 */
export function libraryIds(
  vocabulary: ReadonlyMap<string, number>,
  added: readonly { readonly content: string }[],
): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  let next = vocabulary.size;
  for (const { content } of added)
    if (content !== '' && !ids.has(content)) ids.set(content, vocabulary.get(content) ?? next++);
  return ids;
}

const plainToken = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };

function vocabularyOf(tokenizer: Json): (readonly [piece: string, id: number])[] {
  const { vocab = {} } = (tokenizer['model'] ?? {}) as {
    readonly vocab?: Record<string, number> | readonly [string, number][];
  };
  return Array.isArray(vocab)
    ? vocab.map(([piece], i) => [piece, i] as const)
    : Object.entries(vocab as Record<string, number>);
}

function unusedName(id: number, taken: ReadonlySet<string>): string {
  let name = `<|unused_${id}|>`;
  while (taken.has(name)) name = `<${name}>`;
  return name;
}
