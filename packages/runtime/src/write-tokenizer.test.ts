import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@weft/errors';
import { modelOf } from '@weft/models';
import type { Json, Model } from '@weft/spec';
import { loadTokenizer } from '@weft/text';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import cases from './__fixtures__/added-token-ids.json' with { type: 'json' };
import { libraryIds, tokenizerWith } from './write-tokenizer.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-tokenizer-'));
});
afterAll(() => rm(root, { recursive: true }));

interface Written {
  readonly added_tokens: readonly {
    readonly id: number;
    readonly content: string;
    readonly special: boolean;
  }[];
  readonly model: { readonly vocab: Readonly<Record<string, number>> | readonly [string, number][] };
}

/** A folder with the tokenizer of a fixture, changed. */
async function folderOf(name: string, change: (tokenizer: Json) => Json = (same) => same): Promise<string> {
  const folder = await mkdtemp(join(root, 'from-'));
  await cp(fixture(name), folder, { recursive: true });
  const path = join(folder, 'tokenizer.json');
  await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, 'utf8')) as Json)));
  return folder;
}

/** A model that asks for a token at an id; nothing else of it is looked at. */
async function asking(id: number, placeholder = '<image>'): Promise<Model> {
  const config = JSON.parse(await readFile(join(fixture('llava-clip'), 'config.json'), 'utf8')) as Json;
  const model = await modelOf(config);
  return { ...model, senses: model.senses.map((sense) => ({ ...sense, tokenId: id, placeholder })) };
}

const written = async (folder: string, id: number, placeholder?: string): Promise<Written> =>
  JSON.parse(
    (await tokenizerWith(await asking(id, placeholder), folder)).get('tokenizer.json') as string,
  ) as Written;

/** Ids as the tokenizers library gives them. */
const idsOf = ({ model: { vocab }, added_tokens }: Written): ReadonlyMap<string, number> =>
  libraryIds(
    new Map(Array.isArray(vocab) ? vocab.map(([piece], i) => [piece, i] as const) : Object.entries(vocab)),
    added_tokens,
  );

describe('ids of added tokens', () => {
  it('are those of the tokenizers library, in 300 vocabularies', () => {
    expect(cases).toHaveLength(300);
    for (const { vocabulary, added, ids } of cases)
      expect(
        Object.fromEntries(
          libraryIds(
            new Map(vocabulary as unknown as [string, number][]),
            added.map((content) => ({ content })),
          ),
        ),
      ).toEqual(ids);
  });
});

describe('a tokenizer that gets a placeholder', () => {
  it.each([
    ['text-qwen2-tied', 313],
    ['text-qwen2-tied', 317],
    ['text-qwen2-tied', 400],
    ['text-llama3', 330],
    ['text-mistral-window', 999],
  ])('of %s at %i reads with that id in the tokenizers library too', async (name, id) => {
    const result = await written(fixture(name), id);
    const ids = idsOf(result);
    expect(ids.get('<image>')).toBe(id);
    for (const token of result.added_tokens) expect(ids.get(token.content)).toBe(token.id);
    const between = result.added_tokens.filter(({ content }) => content.startsWith('<|unused_'));
    expect(between.every(({ special }) => special)).toBe(true);
    expect(new Set(result.added_tokens.map((token) => token.id)).size).toBe(result.added_tokens.length);
  });

  it('has the ids that Weft reads', async () => {
    const folder = await folderOf('text-qwen2-tied');
    for (const [name, text] of await tokenizerWith(await asking(350), folder))
      await writeFile(join(folder, name), text);
    const tokenizer = await loadTokenizer(folder);
    expect([
      tokenizer.tokenToId('<image>'),
      tokenizer.tokenToId('<|unused_349|>'),
      tokenizer.vocabSize,
    ]).toEqual([350, 349, 351]);
  });

  it('keeps the names of tokens between apart from those that are there', async () => {
    const folder = await folderOf('text-qwen2-tied', (tokenizer) => {
      const added = tokenizer['added_tokens'] as { id: number }[];
      const id = Math.max(...added.map((token) => token.id)) + 1;
      return { ...tokenizer, added_tokens: [...added, { ...added[0], id, content: `<|unused_${id + 1}|>` }] };
    });
    const result = await written(folder, 320);
    const contents = result.added_tokens.map(({ content }) => content);
    expect(new Set(contents).size).toBe(contents.length);
    expect(idsOf(result).get('<image>')).toBe(320);
  });

  it('that has it beyond a gap gets the ids between', async () => {
    const folder = await folderOf('text-qwen2-tied', (tokenizer) => {
      const added = tokenizer['added_tokens'] as readonly Json[];
      return { ...tokenizer, added_tokens: [...added, { ...added[0], id: 340, content: '<image>' }] };
    });
    const result = await written(folder, 340);
    expect(result.added_tokens.filter(({ content }) => content === '<image>')).toHaveLength(1);
    expect(idsOf(result).get('<image>')).toBe(340);
  });

  it('stays as it is where it has the token at that id', async () => {
    const own = JSON.parse(await readFile(join(fixture('llava-clip'), 'tokenizer.json'), 'utf8')) as Json;
    expect(await written(fixture('llava-clip'), 312)).toEqual(own);
  });

  const holed = (tokenizer: Json): Json => {
    const model = tokenizer['model'] as Json;
    // Two pieces fewer: their ids are holes, and the last pieces lie beyond the size of the vocabulary.
    const vocab = Object.entries(model['vocab'] as Record<string, number>).filter(
      ([, id]) => id !== 200 && id !== 201,
    );
    return { ...tokenizer, model: { ...model, vocab: Object.fromEntries(vocab), merges: [] } };
  };
  it.each<[string, number, RegExp]>([
    [
      'a hole of the vocabulary',
      200,
      /'<image>' cannot have the id 200: the tokenizers library.*would give it \d+/,
    ],
    ['an id beyond a vocabulary with holes', 330, /cannot have the id/],
  ])('is refused %s', async (_, id, message) => {
    const folder = await folderOf('text-qwen2-tied', holed);
    await expect(written(folder, id)).rejects.toThrow(ConfigError);
    await expect(written(folder, id)).rejects.toThrow(message);
    await expect(written(folder, id)).rejects.toThrow(/whose vocabulary has no holes/);
  });
});

describe('files of a tokenizer', () => {
  it.each(['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja', 'special_tokens_map.json'])(
    'are not copied through a link that leads out of the folder: %s',
    async (name) => {
      const folder = await folderOf('text-qwen2-tied');
      const outside = join(await mkdtemp(join(root, 'outside-')), 'secret');
      await writeFile(outside, '{}');
      await rm(join(folder, name), { force: true });
      await symlink(outside, join(folder, name));
      const copied = tokenizerWith(await asking(313), folder);
      await expect(copied).rejects.toThrow(ConfigError);
      await expect(copied).rejects.toThrow(
        /is a link to ".*secret", outside of its folder, and is not copied/,
      );
    },
  );

  it('are copied from the blobs of a Hugging Face cache', async () => {
    const repository = await mkdtemp(join(root, 'models--'));
    const [snapshot, blobs] = [join(repository, 'snapshots', 'ab12'), join(repository, 'blobs')];
    await mkdir(snapshot, { recursive: true });
    await mkdir(blobs);
    for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
      await cp(join(fixture('text-qwen2-tied'), name), join(blobs, `blob-${name}`));
      await symlink(`../../blobs/blob-${name}`, join(snapshot, name));
    }
    const files = await tokenizerWith(await asking(313), snapshot);
    expect([...files.keys()]).toEqual(['tokenizer.json', 'tokenizer_config.json']);
  });

  it('must be files', async () => {
    const folder = await folderOf('text-qwen2-tied');
    await rm(join(folder, 'chat_template.jinja'), { force: true });
    await mkdir(join(folder, 'chat_template.jinja'));
    await expect(tokenizerWith(await asking(313), folder)).rejects.toThrow(
      /chat_template\.jinja is a folder, expected a file/,
    );
  });
});
