import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createStreamingDecoder } from './streaming-decoder.js';
import { createTokenizer, loadTokenizer } from './tokenizer.js';

const fixture = (name: string): string => fileURLToPath(new URL(`./__fixtures__/${name}`, import.meta.url));

describe('createStreamingDecoder', () => {
  it('holds the bytes of a character back until it is whole', async () => {
    const tokenizer = await loadTokenizer(fixture('qwen'));
    const ids = tokenizer.encode('a🙂b');
    const stream = createStreamingDecoder(tokenizer);
    const parts = ids.map((id) => stream.push(id));
    expect(parts).toEqual(['a', ...Array.from({ length: ids.length - 3 }, () => ''), '🙂', 'b']);
  });

  it('holds a row of byte tokens back until another token ends it', async () => {
    const tokenizer = await loadTokenizer(fixture('llama2'));
    const bytes = [0xf0, 0x9f, 0x99, 0x82].map(
      (byte) => tokenizer.tokenToId(`<0x${byte.toString(16).toUpperCase()}>`) ?? -1,
    );
    const word = tokenizer.encode('x', { addSpecialTokens: false });
    const stream = createStreamingDecoder(tokenizer);
    expect(bytes.map((id) => stream.push(id)).join('')).toBe('');
    expect(word.map((id) => stream.push(id)).join('')).toBe('🙂 x');
    expect([...bytes.slice(0, 2)].map((id) => stream.push(id)).join('') + stream.flush()).toBe(
      '\uFFFD\uFFFD',
    );
  });

  it('drops the space that the tokenizer puts before the first word only', async () => {
    const tokenizer = await loadTokenizer(fixture('llama2'));
    const ids = tokenizer.encode('the image', { addSpecialTokens: false });
    for (let round = 0; round < 2; round++) {
      const stream = createStreamingDecoder(tokenizer);
      expect(ids.map((id) => stream.push(id)).join('') + stream.flush()).toBe('the image');
    }
  });

  it('starts over after flush', async () => {
    const tokenizer = await loadTokenizer(fixture('metaspace'));
    const ids = tokenizer.encode('the image', { addSpecialTokens: false });
    const stream = createStreamingDecoder(tokenizer);
    const read = (): string => ids.map((id) => stream.push(id)).join('') + stream.flush();
    expect([read(), read()]).toEqual(['the image', 'the image']);
  });

  it('takes spaces before punctuation away over token borders where the tokenizer asks for it', () => {
    const tokenizer = createTokenizer(
      {
        model: {
          type: 'WordLevel',
          vocab: { do: 0, "n't": 1, go: 2, '.': 3, "'": 4, ve: 5 },
          unk_token: 'go',
        },
        decoder: null,
      },
      { clean_up_tokenization_spaces: true },
    );
    const stream = createStreamingDecoder(tokenizer);
    expect([0, 1, 2, 3].map((id) => stream.push(id)).join('') + stream.flush()).toBe("don't go.");
    expect(tokenizer.decode([2, 4, 5])).toBe("go've");
  });
});
