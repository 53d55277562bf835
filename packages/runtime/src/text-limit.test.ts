import { fileURLToPath } from 'node:url';
import { InputError } from '@weft/errors';
import { loadTokenizer, type Tokenizer } from '@weft/text';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Question } from './message.js';
import { refuseLongQuestion, refuseLongText, type TextLimit } from './text-limit.js';

const folder = fileURLToPath(new URL('../../models/__fixtures__/text-llama3', import.meta.url));

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(folder);
});

const tools = (maxPositions: number): TextLimit => ({ tokenizer, maxPositions });

describe('the limit of a text', () => {
  it('lies where every position would hold the longest token', () => {
    const most = 10 * tokenizer.longestToken;
    expect(() => refuseLongText(tools(10), most)).not.toThrow();
    expect(() => refuseLongText(tools(10), most + 1)).toThrow(InputError);
    expect(() => refuseLongText(tools(Infinity), 1e9)).not.toThrow();
  });

  it('lets every text through that the model can read', () => {
    const longest = Array.from(
      { length: tokenizer.vocabSize },
      (_, id) => tokenizer.idToToken(id) ?? '',
    ).reduce((a, b) => (b.length > a.length ? b : a));
    const text = longest.repeat(9);
    expect(tokenizer.encode(text, { addSpecialTokens: false }).length).toBeLessThanOrEqual(
      9 * longest.length,
    );
    expect(() => refuseLongText(tools(9), text.length)).not.toThrow();
  });

  const long = 'a'.repeat(50_000);
  const questions: Record<string, Question> = {
    'a prompt': { prompt: long },
    'one message': { messages: [{ role: 'user', content: long }] },
    'many messages together': {
      messages: Array.from({ length: 50 }, () => ({ role: 'user' as const, content: long.slice(0, 1000) })),
    },
    'parts of a message': {
      messages: [
        {
          role: 'user',
          content: Array.from({ length: 50 }, () => ({ type: 'text' as const, text: long.slice(0, 1000) })),
        },
      ],
    },
    'what an answer thought': { messages: [{ role: 'assistant', content: 'so', thinking: long }] },
  };
  it.each(Object.entries(questions))('holds for %s', (_, question) => {
    expect(() => refuseLongQuestion(tools(100), question)).toThrow(/characters.*100 positions/);
    expect(() => refuseLongQuestion(tools(1e6), question)).not.toThrow();
  });

  it('leaves what is no message to those who read messages', () => {
    for (const messages of [
      'hi',
      [null],
      [{ role: 'user' }],
      [{ role: 'user', content: [null, 5, {}] }],
      undefined,
    ])
      expect(() => refuseLongQuestion(tools(1), { messages } as unknown as Question)).not.toThrow();
  });
});
