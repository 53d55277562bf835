import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '@weft/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { conversationRenderer, renderConversation } from './conversation.js';
import { load } from './load.js';
import type { LoadedModel } from './loaded-model.js';
import type { Message, MessageInput } from './message.js';

const image = { type: 'image' } as const;
const text = (value: string) => ({ type: 'text', text: value }) as const;

let model: LoadedModel;
beforeAll(async () => {
  model = await load(fixture('llava-clip'), { worker: false });
});
afterAll(() => model.close());

function render(chatTemplate: string, messages: readonly Message[], addGenerationPrompt = false): string {
  const tools = { model: model.model, tokenizer: model.tokenizer, chatTemplate };
  return renderConversation(tools, messages, { addGenerationPrompt })
    .map(({ text: own }) => own)
    .join('');
}

/** The content of users may be a list, that of others is a text. */
const listsOfUsers =
  "{% for m in messages %}{{ m['role'] }}: {% if m['role'] == 'user' and m['content'] is not string %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% else %}{{ m['content'] }}{% endif %}; {% endfor %}";
/** Every content is a list. */
const listsOnly =
  "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% elif c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}; {% endfor %}";
/** Texts are added to texts, so a list raises an error. */
const sums =
  "{% for m in messages %}{% if m['content'] is string %}{{ m['role'] + ': ' + m['content'] }}{% elif m['role'] == 'user' %}{{ 'user: ' }}{% for c in m['content'] %}{{ '<image>' if c['type'] == 'image' else c['text'] }}{% endfor %}{% else %}{{ raise_exception('texts only') }}{% endif %}; {% endfor %}";

describe('renderConversation', () => {
  const turns: Message[] = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [image, text('What?')] },
    { role: 'assistant', content: 'A cat.' },
    { role: 'user', content: 'Its colour?' },
  ];
  const written = 'system: Be brief.; user: <image>What?; assistant: A cat.; user: Its colour?; ';

  it.each([
    ['lists of users', listsOfUsers],
    ['lists of all', listsOnly],
    ['sums of texts', sums],
  ])('writes every text where the template takes %s', (_, template) => {
    expect(render(template, turns)).toBe(written);
  });

  it.each([
    ['lists of users', listsOfUsers],
    ['lists of all', listsOnly],
    ['sums of texts', sums],
  ])('writes texts that were given as parts where the template takes %s', (_, template) => {
    const inParts = turns.map(({ role, content }): Message => ({
      role,
      content: typeof content === 'string' ? [text(content)] : content,
    }));
    expect(render(template, inParts)).toBe(written);
  });

  it('leaves a text a text, though the template takes lists too', () => {
    const telling =
      "{% for m in messages %}{% if m['content'] is string %}({{ m['content'] }}){% else %}{% for c in m['content'] %}{{ '<image>' if c['type'] == 'image' else c['text'] }}{% endfor %}{% endif %}{% endfor %}";
    expect(render(telling, [{ role: 'user', content: 'What?' }])).toBe('(What?)');
    expect(render(telling, [{ role: 'user', content: [text('What?')] }])).toBe('What?');
  });

  it('reads the parts of an older form, which have their text in `content`', () => {
    const older =
      "{% for m in messages %}{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['content'] }}{% else %}{{ '<image>' if c['type'] == 'image' }}{% endif %}{% endfor %}{% endif %}{% endfor %}";
    expect(render(older, [{ role: 'user', content: 'What?' }])).toBe('What?');
    expect(() => render(older, [{ role: 'user', content: [image, text('What?')] }])).toThrow(
      /leaves out the text of a message \(role 'user'\): "What\?"/,
    );
  });

  it.each<[string, string, Message[], RegExp]>([
    [
      'that leaves out the message of the system',
      "{% for m in messages %}{% if m['role'] != 'system' %}{{ m['content'] }}{% endif %}{% endfor %}",
      [
        { role: 'system', content: 'a' },
        { role: 'user', content: 'banana' },
      ],
      /leaves out the text of a message \(role 'system'\): "a"[^]*messages\[0\]/,
    ],
    [
      'that knows no tool',
      "{% for m in messages %}{{ m['content'] if m['role'] in ['user', 'assistant'] }}{% endfor %}",
      [
        { role: 'user', content: 'How warm?' },
        { role: 'tool', content: '21' },
      ],
      /role 'tool'\): "21"[^]*messages\[1\]/,
    ],
    [
      'that writes the second part only',
      "{% for m in messages %}{{ m['content'][1]['text'] }}{% endfor %}",
      [{ role: 'user', content: [text('One.'), text('Two.')] }],
      /leaves out the text/,
    ],
    [
      'that writes parts as JSON in every form',
      "{% for m in messages %}{% if m['content'] is string %}{% else %}{{ m['content'] | tojson }}{{ 'image' }}{% endif %}{% endfor %}",
      [{ role: 'user', content: 'What?' }],
      /leaves out the text|as data instead/,
    ],
    [
      'that writes the parts of a picture as JSON',
      "{# 'image' #}{% for m in messages %}{{ m['content'] if m['content'] is string else m['content'] | tojson }}{% endfor %}",
      [{ role: 'user', content: [image, text('What?')] }],
      /writes the parts of a message \(role 'user'\) as data/,
    ],
  ])('refuses a template %s', (_, template, messages, reason) => {
    expect(() => render(template, messages)).toThrow(reason);
    expect(() => render(template, messages)).toThrow(InputError);
  });

  it('takes a text that a template trims, quotes or cuts', () => {
    const thinking =
      "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ m['content'].split('</think>')[-1] | trim }}{% elif m['role'] == 'tool' %}{{ m['content'] | tojson }}{% else %}{{ m['content'] | trim }}{% endif %};{% endfor %}";
    expect(
      render(thinking, [
        { role: 'user', content: ' \nWhat?\n' },
        { role: 'assistant', content: '<think>A cat?</think>\n\nA cat.' },
        { role: 'tool', content: 'a "cat"' },
        { role: 'assistant', content: '<think>Nothing follows.</think>' },
      ]),
    ).toBe('What?;A cat.;"a \\"cat\\"";;');
  });

  it('takes what users write of parts as text', () => {
    const json = '[{"type": "text", "text": "a"}, {\'type\': \'image\'}]';
    expect(render(listsOfUsers, [{ role: 'user', content: json }])).toBe(`user: ${json}; `);
    expect(render(listsOnly, [{ role: 'user', content: [text(json)] }])).toBe(`user: ${json}; `);
  });

  it('gives templates what messages say beside their content', () => {
    const calling =
      "{% for m in messages %}{{ m['content'] }}{% for c in m['tool_calls'] or [] %}[{{ c['function']['name'] }}]{% endfor %}{{ m['tool_call_id'] }};{% endfor %}";
    expect(
      render(calling, [
        { role: 'user', content: 'How warm?' },
        { role: 'assistant', content: '', tool_calls: [{ type: 'function', function: { name: 'look' } }] },
        { role: 'tool', content: '21', tool_call_id: 'c1' },
      ]),
    ).toBe('How warm?;[look];21c1;');
  });

  it('gives a message one form in all beginnings of a conversation', () => {
    const tools = { model: model.model, tokenizer: model.tokenizer, chatTemplate: sums };
    const beginning = conversationRenderer(tools, turns);
    const lengths = [1, 2, 3, 4].map((messages) =>
      beginning({ messages, addGenerationPrompt: false })
        .map(({ text: own }) => own)
        .join(''),
    );
    expect(lengths.every((one) => written.startsWith(one))).toBe(true);
    expect(lengths.at(-1)).toBe(written);
  });
});

describe('generate', () => {
  it('sees pictures that other programs wrote into messages, and refuses what it would not see', async () => {
    const path = join(fixture('llava-clip'), 'image-0.png');
    const base64 = (await readFile(path)).toString('base64');
    const answer = async (part: unknown) => {
      const content = [part, text('What?')] as MessageInput['content'];
      const { imageTokens, tokenIds } = await model
        .generate({ messages: [{ role: 'user', content }], maxNewTokens: 4 })
        .result();
      return { imageTokens, tokenIds };
    };
    const own = await answer({ type: 'image', image: path });
    expect(own.imageTokens).toBeGreaterThan(0);
    const url = `data:image/png;base64,${base64}`;
    expect(await answer({ type: 'image_url', image_url: { url } })).toEqual(own);
    expect(await answer({ type: 'file', mediaType: 'image/png', data: base64 })).toEqual(own);
    await expect(answer({ type: 'imag', image: path })).rejects.toThrow(/type "imag"/);
    const chat = model.chat();
    expect(() => chat.send([{ type: 'imag' } as never])).toThrow(/type "imag"[^]*chat\.send/);
  });

  it('finds the texts that a template loses in a few renderings, however many they are', () => {
    const many = Array.from({ length: 1200 }, (_, i): Message => ({
      role: i % 2 ? 'assistant' : 'user',
      content: `text ${i}`,
    }));
    const started = process.cpuUsage();
    expect(render(listsOnly, many)).toContain('assistant: text 1199; ');
    const { user, system } = process.cpuUsage(started);
    // One rendering for each text took half a minute.
    expect(user + system).toBeLessThan(8e6);
  });

  it('names the message whose text is lost among equal ones', () => {
    const withoutSystem = "{% for m in messages if m['role'] != 'system' %}{{ m['content'] }}{% endfor %}";
    const same = ['user', 'system', 'user'].map((role): Message => ({
      role: role as Message['role'],
      content: 'Hi',
    }));
    expect(() => render(withoutSystem, same)).toThrow(/leaves out the text of a message \(role 'system'\)/);
  });
});
