import { InputError } from '@weft/errors';
import { part, type Picture } from '@weft/spec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import { buildPrompt } from './prompt.js';

const picture = (width: number, height: number): Picture => ({
  width,
  height,
  channels: 3,
  data: new Uint8Array(width * height * 3),
});

let fuyu: LoadedModel;
beforeAll(async () => {
  fuyu = await load(fixture('fuyu-small'), { worker: false });
});
afterAll(() => fuyu.close());

describe('a prompt for a model without chat template', () => {
  const ask = (text: string, pictures: readonly Picture[]): readonly string[] => {
    const { ids } = buildPrompt(
      fuyu.parts,
      {
        messages: [
          {
            role: 'user',
            content: [...pictures.map(() => ({ type: 'image' }) as const), { type: 'text', text }],
          },
        ],
      },
      pictures,
    );
    const names = new Map(
      ['|SPEAKER|', '|NEWLINE|', '<s>', '<0x04>'].map((name) => [fuyu.tokenizer.tokenToId(name)!, name]),
    );
    return ids.map((id) => names.get(id) ?? 'text');
  };

  it('has the picture first, a newline after each row, then the text between its control tokens', () => {
    const patch = Number(part(fuyu.model, 'encoder').config['patchSize']);
    const tokens = ask('Why?', [picture(2 * patch, patch + 1)]);
    const row = ['|SPEAKER|', '|SPEAKER|', '|NEWLINE|'];
    expect(tokens.slice(0, 7)).toEqual([...row, ...row, '<s>']);
    expect(tokens.at(-1)).toBe('<0x04>');
    expect(new Set(tokens.slice(7, -1))).toEqual(new Set(['text']));
  });

  it('is the same for messages and for a bare prompt', () => {
    const pictures = [picture(9, 9)];
    const messages = [
      { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'Why?' }] },
    ] as const;
    expect(buildPrompt(fuyu.parts, { messages }, pictures).ids).toEqual(
      buildPrompt(fuyu.parts, { prompt: 'Why?' }, pictures).ids,
    );
  });

  it('ends an earlier answer where the next question begins', () => {
    const messages = [
      { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'Why?' }] },
      { role: 'assistant', content: 'So.' },
      { role: 'user', content: 'And?' },
    ] as const;
    const { ids } = buildPrompt(fuyu.parts, { messages }, [picture(9, 9)]);
    expect(ids.filter((id) => id === fuyu.tokenizer.tokenToId('<0x04>'))).toHaveLength(2);
  });

  it('is plain text without a picture', () => {
    const { ids } = buildPrompt(fuyu.parts, { prompt: 'Why?' }, []);
    expect(ids).toEqual(fuyu.tokenizer.encode('Why?', { addSpecialTokens: true }));
  });

  it('has room for one picture, and says so', () => {
    expect(() => ask('Why?', [picture(9, 9), picture(8, 8)])).toThrow(InputError);
    expect(() => ask('Why?', [picture(9, 9), picture(8, 8)])).toThrow(
      /2 images were given, but the model takes at most 1 in a prompt/,
    );
  });
});
