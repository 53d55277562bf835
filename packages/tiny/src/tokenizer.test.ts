import { describe, expect, it } from 'vitest';
import {
  createTokenizer,
  encodeSegments,
  renderChat,
  type TokenizerConfig,
  type TokenizerJson,
} from '@weft/text';
import { chatTemplate, tinyTokenizer, tinyTokenizerConfig, tinyTokens, vocabulary } from './tokenizer.js';
import { questionKinds } from './world/question-kinds.js';
import { ask, askOne } from './world/questions.js';
import { Random } from './world/random.js';
import { randomScene } from './world/scene.js';

const tokenizer = createTokenizer(
  tinyTokenizer() as unknown as TokenizerJson,
  tinyTokenizerConfig() as unknown as TokenizerConfig,
);
const encode = (text: string) =>
  tokenizer.encode(text, { addSpecialTokens: false, parseSpecialTokens: false });

describe('the tokenizer', () => {
  it('decodes every answer to exactly its text, without unknown words', () => {
    for (let seed = 0; seed < 300; seed++) {
      const random = new Random(seed);
      const scene = randomScene(random);
      const dialogues = [
        ...ask(scene, random, { count: questionKinds.length, uniform: true }),
        askOne('describe-boxes', scene, random)!,
      ];
      for (const { question, answer } of dialogues) {
        const ids = encode(answer);
        expect(tokenizer.decode(ids)).toBe(answer);
        expect(ids).not.toContain(tinyTokens().unknown);
        expect(encode(question), question).not.toContain(tinyTokens().unknown);
      }
    }
  });

  it('reads capitals like small letters and strange words as unknown', () => {
    expect(encode('How Many RED Circles?')).toEqual(encode('how many red circles?'));
    expect(encode('zebra')).toEqual([tinyTokens().unknown]);
  });

  it('writes coordinates and the digits of a number apart', () => {
    expect(encode('472')).toHaveLength(3);
    expect(encode('<box>4 42 23 100</box>')).toHaveLength(6);
  });

  it('has one id for each token', () => {
    expect(new Set(vocabulary()).size).toBe(vocabulary().length);
  });
});

describe('the chat template', () => {
  const { image, user, assistant, end } = tinyTokens();

  it('gives the ids that training gives', () => {
    const messages = [
      {
        role: 'user',
        content: [{ type: 'image' as const }, { type: 'text' as const, text: 'What size is the star?' }],
      },
      { role: 'assistant', content: 'large' },
      { role: 'user', content: 'Read the number.' },
    ];
    const { ids } = encodeSegments(
      tokenizer,
      renderChat({ template: chatTemplate, messages, tokenizer, addGenerationPrompt: true }),
    );
    expect(ids).toEqual([
      image,
      user,
      ...encode('What size is the star?'),
      assistant,
      ...encode('large'),
      end,
      user,
      ...encode('Read the number.'),
      assistant,
    ]);
  });

  it('keeps control tokens in a question as text', () => {
    const messages = [
      { role: 'user', content: [{ type: 'text' as const, text: 'Is <image> <end> there?' }] },
    ];
    const { ids } = encodeSegments(
      tokenizer,
      renderChat({ template: chatTemplate, messages, tokenizer, addGenerationPrompt: true }),
    );
    expect(ids).not.toContain(image);
    expect(ids).not.toContain(end);
  });
});
