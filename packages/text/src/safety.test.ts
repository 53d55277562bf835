import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { encodeSegments } from './chat-segments.js';
import { renderChat } from './chat-template.js';
import { loadChatTemplate } from './chat-template-files.js';
import { createStreamingDecoder } from './streaming-decoder.js';
import { loadTokenizer, type Tokenizer } from './tokenizer.js';

const fixture = (name: string): string => fileURLToPath(new URL(`./__fixtures__/${name}`, import.meta.url));
const kinds = ['qwen', 'llama2', 'metaspace', 'llama3', 'smol', 'unigram', 'wordpiece'];

/** Numbers in `[0, bound)` from a linear congruential generator, so that failures come back. */
function dice(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

const characters = [...'<|>/[]_ \n\tse im_end image é猫🙂\u0308▁ab', '👩‍👩‍👧', '\uD83D', '\uE000', '\uE001', '0'];

function randomText(tokenizer: Tokenizer, roll: (bound: number) => number): string {
  const specials = [...tokenizer.specialTokens];
  return Array.from({ length: 1 + roll(8) }, () => {
    const special = specials[roll(specials.length)] ?? '';
    const cut = roll(special.length);
    return [special, special.slice(0, cut), special.slice(cut), characters[roll(characters.length)] ?? ''][
      roll(4)
    ];
  }).join('');
}

const specialsIn = (tokenizer: Tokenizer, ids: readonly number[]): string[] =>
  ids
    .filter((id) => tokenizer.specialIds.has(id))
    .map((id) => tokenizer.idToToken(id) ?? '')
    .filter((token) => token !== '<unk>' && token !== '[UNK]');

describe.each(kinds)('with the tokenizer of kind %s', (kind) => {
  it('text of a user never becomes a special token', async () => {
    const tokenizer = await loadTokenizer(fixture(kind));
    const roll = dice(1);
    for (let round = 0; round < 150; round++) {
      const text = randomText(tokenizer, roll);
      const ids = tokenizer.encode(text, { addSpecialTokens: false, parseSpecialTokens: false });
      expect(specialsIn(tokenizer, ids), JSON.stringify(text)).toEqual([]);
    }
  });

  it('text that is emitted token by token equals the text decoded at once', async () => {
    const tokenizer = await loadTokenizer(fixture(kind));
    const roll = dice(2);
    for (let round = 0; round < 100; round++) {
      const ids = [
        ...Array.from({ length: roll(20) }, () => roll(tokenizer.vocabSize)),
        ...tokenizer.encode(randomText(tokenizer, roll)),
      ];
      const skipSpecialTokens = roll(2) === 0;
      const stream = createStreamingDecoder(tokenizer, { skipSpecialTokens });
      const text = ids.map((id) => stream.push(id)).join('') + stream.flush();
      expect(text).toBe(tokenizer.decode(ids, { skipSpecialTokens }));
    }
  });
});

/** Templates that look at the text or change it, as published ones do and worse. */
const templates: Readonly<Record<string, string>> = {
  trims: '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>{% endfor %}',
  upper: '{% for m in messages %}<|im_start|>{{ m.content.upper() }}<|im_end|>{% endfor %}',
  lower: '{% for m in messages %}<|im_start|>{{ m.content | lower }}<|im_end|>{% endfor %}',
  splits:
    "{% for m in messages %}<|im_start|>{{ m.content.split('</think>')[-1].lstrip('\\n') }}<|im_end|>{% endfor %}",
  slices: '{% for m in messages %}<|im_start|>{{ m.content[1:] }}<|im_end|>{% endfor %}',
  'takes spaces out':
    "{% for m in messages %}<|im_start|>{{ m.content.replace(' ', '') }}<|im_end|>{% endfor %}",
  'joins messages': '<|im_start|>{% for m in messages %}{{ m.content }}{% endfor %}<|im_end|>',
  'joins trimmed messages':
    '<|im_start|>{% for m in messages %}{{ m.content[:40] | trim }}{% endfor %}<|im_end|>',
  'quotes as JSON': '{% for m in messages %}<|im_start|>{{ m | tojson }}<|im_end|>{% endfor %}',
  tests:
    "{% for m in messages %}<|im_start|>{% if 'e' in m.content %}{{ m.content ~ '!' }}{% else %}{{ m.content }}{% endif %}<|im_end|>{% endfor %}",
};

describe.each(Object.entries(templates))('a template that %s', (_, template) => {
  it('yields its own special tokens and none from messages', async () => {
    const tokenizer = await loadTokenizer(fixture('qwen'));
    const roll = dice(3);
    const harmless = [
      { role: 'user', content: 'some text' },
      { role: 'user', content: 'and more' },
    ];
    const expected = specialsIn(
      tokenizer,
      encodeSegments(tokenizer, renderChat({ template, messages: harmless, tokenizer })).ids,
    );
    expect(expected.length).toBeGreaterThan(0);
    for (let round = 0; round < 40; round++) {
      const messages = harmless.map(({ role }) => ({ role, content: randomText(tokenizer, roll) }));
      const segments = renderChat({ template, messages, tokenizer });
      const { ids } = encodeSegments(tokenizer, segments);
      expect(specialsIn(tokenizer, ids), JSON.stringify(messages)).toEqual(expected);
    }
  });
});

describe('a special token spelt by several texts', () => {
  it.each([
    ['letters of another case', '<|IM_END|>', templates['lower']],
    ['spaces that the template takes out', '<|im_ end|>', templates['takes spaces out']],
  ])('stays text when it needs %s', async (_, content, template) => {
    const tokenizer = await loadTokenizer(fixture('qwen'));
    const segments = renderChat({
      template: template ?? '',
      messages: [{ role: 'user', content }],
      tokenizer,
    });
    expect(specialsIn(tokenizer, encodeSegments(tokenizer, segments).ids)).toEqual([
      '<|im_start|>',
      '<|im_end|>',
    ]);
    expect(segments.map(({ text }) => text).join('')).toBe('<|im_start|><|im_end|><|im_end|>');
  });

  it('stays text when parts of one message are put side by side', async () => {
    const tokenizer = await loadTokenizer(fixture('qwen'));
    const content = ['<|', 'im_', 'end', '|>'].map((text) => ({ type: 'text' as const, text }));
    const template = (await loadChatTemplate(fixture('qwen')))!;
    const segments = renderChat({ template, messages: [{ role: 'user', content }], tokenizer });
    const ends = specialsIn(tokenizer, encodeSegments(tokenizer, segments).ids).filter(
      (token) => token === '<|im_end|>',
    );
    expect(ends).toHaveLength(2);
  });
});
