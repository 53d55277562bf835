import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { encodeSegments } from './chat-segments.js';
import { renderChat, type ChatMessage } from './chat-template.js';
import { loadChatTemplate } from './chat-template-files.js';
import { createStreamingDecoder } from './streaming-decoder.js';
import { loadTokenizer } from './tokenizer.js';

interface Answers {
  readonly texts: readonly string[];
  readonly tokenizers: Readonly<Record<string, TokenizerAnswers>>;
}

interface TokenizerAnswers {
  readonly encode: readonly (readonly [plain: number[], bare: number[], literal: number[]])[];
  readonly decode: readonly (readonly [ids: number[], text: string, withoutSpecial: string])[];
  readonly chats: readonly {
    readonly messages: readonly ChatMessage[];
    readonly addGenerationPrompt: boolean;
    readonly text: string;
    readonly ids: number[];
  }[];
  readonly specialIds: readonly number[];
  readonly size: number;
  readonly bos: number | null;
  readonly eos: number | null;
  readonly pad: number | null;
}

const fixture = (name: string): string => fileURLToPath(new URL(`./__fixtures__/${name}`, import.meta.url));
const answers = JSON.parse(readFileSync(fixture('cases.json'), 'utf8')) as Answers;

describe.each(Object.entries(answers.tokenizers))('the tokenizer of kind %s', (name, expected) => {
  const tokenizer = loadTokenizer(fixture(name));

  it.each(answers.texts.map((text, at) => ({ text, at })))(
    'encodes $text as transformers does',
    async ({ text, at }) => {
      const [plain, bare, literal] = expected.encode[at] ?? [[], [], []];
      const { encode, specialIds, idToToken } = await tokenizer;
      expect(encode(text)).toEqual(plain);
      expect(encode(text, { addSpecialTokens: false })).toEqual(bare);
      const ours = encode(text, { addSpecialTokens: false, parseSpecialTokens: false });
      const unknown = (id: number): boolean => ['<unk>', '[UNK]'].includes(idToToken(id) ?? '');
      expect(ours.filter((id) => specialIds.has(id) && !unknown(id))).toEqual([]);
      // The reference lets a Unigram vocabulary find a special token as a piece of text; that is not followed.
      if (!literal.some((id) => specialIds.has(id) && text.includes(idToToken(id) ?? '')))
        expect(ours).toEqual(literal);
    },
  );

  it('decodes as transformers does, at once and token by token', async () => {
    const loaded = await tokenizer;
    for (const [ids, text, withoutSpecial] of expected.decode) {
      expect(loaded.decode(ids)).toBe(text);
      expect(loaded.decode(ids, { skipSpecialTokens: true })).toBe(withoutSpecial);
      const stream = createStreamingDecoder(loaded);
      expect(ids.map((id) => stream.push(id)).join('') + stream.flush()).toBe(text);
    }
  });

  it('names the same special tokens', async () => {
    const loaded = await tokenizer;
    expect([...loaded.specialIds].sort((a, b) => a - b)).toEqual(expected.specialIds);
    expect([loaded.bosTokenId, loaded.eosTokenId, loaded.padTokenId].map((id) => id ?? null)).toEqual([
      expected.bos,
      expected.eos,
      expected.pad,
    ]);
    expect(loaded.vocabSize).toBe(expected.size);
    for (const id of loaded.specialIds) expect(loaded.tokenToId(loaded.idToToken(id) ?? '')).toBe(id);
  });
});

describe.each(Object.entries(answers.tokenizers).filter(([, { chats }]) => chats.length > 0))(
  'the chat template of kind %s',
  (name, { chats }) => {
    it.each(chats)(
      'renders and encodes conversation %# as transformers does',
      async ({ messages, addGenerationPrompt, text, ids }) => {
        const tokenizer = await loadTokenizer(fixture(name));
        const template = (await loadChatTemplate(fixture(name)))!;
        const segments = renderChat({ template, messages, tokenizer, addGenerationPrompt });
        expect(segments.map((segment) => segment.text).join('')).toBe(text);
        expect(encodeSegments(tokenizer, segments).ids).toEqual(ids);
      },
    );
  },
);
