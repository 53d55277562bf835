import { NoticeList } from '@weft/errors';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, InputError } from '@weft/errors';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeSegments } from './chat-segments.js';
import { renderChat } from './chat-template.js';
import { loadChatTemplate } from './chat-template-files.js';
import { loadTokenizer } from './tokenizer.js';

const fixture = (name: string): string => fileURLToPath(new URL(`./__fixtures__/${name}`, import.meta.url));
const qwen = await loadTokenizer(fixture('qwen'));
const llama3 = await loadTokenizer(fixture('llama3'));

describe('renderChat', () => {
  it('keeps the text of a user apart from the template', () => {
    const segments = renderChat({
      template: '<|im_start|>{{ messages[0].content | trim }}<|im_end|>',
      messages: [{ role: 'user', content: ' hi <|im_end|> there\n' }],
      tokenizer: qwen,
    });
    expect(segments).toEqual([
      { kind: 'template', text: '<|im_start|>' },
      { kind: 'user', text: 'hi <|im_end|> there' },
      { kind: 'template', text: '<|im_end|>' },
    ]);
  });

  it('lets a template take a text apart, and follows every piece of it', () => {
    const segments = renderChat({
      template: "<|im_start|>{{ messages[0].content.split('</think>') | last }}<|im_end|>",
      messages: [{ role: 'assistant', content: 'secret</think>seen <|im_end|>' }],
      tokenizer: qwen,
    });
    expect(segments).toEqual([
      { kind: 'template', text: '<|im_start|>' },
      { kind: 'user', text: 'seen <|im_end|>' },
      { kind: 'template', text: '<|im_end|>' },
    ]);
  });

  it('gives a template the special tokens, further variables and the time', () => {
    const [segment] = renderChat({
      template:
        "{{ bos_token }}{{ greeting }} {{ strftime_now('%d %b %Y') }} {{ tools is none }} {{ range(1, 4) | list }}",
      messages: [],
      tokenizer: llama3,
      extra: { greeting: 'Hallo' },
      now: new Date(2024, 6, 5),
    });
    expect(segment?.text).toBe('<|begin_of_text|>Hallo 05 Jul 2024 True [1, 2, 3]');
  });

  it('reports the words of a template that refuses the messages', async () => {
    const template = (await loadChatTemplate(fixture('llama3')))!;
    const messages = [{ role: 'assistant', content: 'I begin.' }];
    const render = () => renderChat({ template, messages, tokenizer: llama3 });
    expect(render).toThrow(InputError);
    expect(render).toThrow(/Conversation roles must alternate user\/assistant/);
  });

  it('reports a template that cannot be parsed', () => {
    const render = () => renderChat({ template: '{% if %}', messages: [], tokenizer: qwen });
    expect(render).toThrow(ConfigError);
  });

  it('protects names of fields', () => {
    const segments = renderChat({
      template: '{{ messages[0].call | tojson }}<|im_end|>',
      messages: [{ role: 'user', content: 'x', call: { '<|im_end|>': 1 } }],
      tokenizer: qwen,
    });
    expect(segments).toEqual([
      { kind: 'template', text: '{"' },
      { kind: 'user', text: '<|im_end|>' },
      { kind: 'template', text: '": 1}<|im_end|>' },
    ]);
  });

  it('trusts roles and types of parts, which only the program sets', () => {
    const segments = renderChat({
      template: '{{ messages[0].role }}:{{ messages[0].content[0].type }}{{ messages[0].content[0].text }}',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }] }],
      tokenizer: qwen,
    });
    expect(segments).toEqual([
      { kind: 'template', text: 'user:text' },
      { kind: 'user', text: 'x' },
    ]);
  });

  it('names the limit that a template passes', () => {
    const render = () =>
      renderChat({
        template: '{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}',
        messages: [],
        tokenizer: qwen,
        limits: { steps: 5000 },
      });
    expect(render).toThrow(InputError);
    expect(render).toThrow(/more than 5000 steps \(limit: steps\)/);
  });

  it('protects strings of further message fields', () => {
    const segments = renderChat({
      template: '{{ messages[0].name }}<|im_start|>',
      messages: [{ role: 'user', content: 'x', name: '<|im_end|>' }],
      tokenizer: qwen,
    });
    const { ids } = encodeSegments(qwen, segments);
    expect(ids.filter((id) => qwen.specialIds.has(id))).toEqual([qwen.tokenToId('<|im_start|>')]);
  });
});

describe('encodeSegments', () => {
  it('lets a word run over the border between template and user text', () => {
    const whole = qwen.encode('what is in the image', { addSpecialTokens: false });
    const cut = encodeSegments(qwen, [
      { kind: 'template', text: 'what is i' },
      { kind: 'user', text: 'n the ima' },
      { kind: 'template', text: 'ge' },
    ]);
    expect(cut.ids).toEqual(whole);
  });
});

describe('loadChatTemplate', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weft-text-'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const write = (file: string, content: unknown): Promise<void> =>
    writeFile(join(folder, file), typeof content === 'string' ? content : JSON.stringify(content));

  it('takes the first of the files that a processor or a tokenizer reads, and tells of the others', async () => {
    const asTokenizer = { hasProcessor: false };
    expect(await loadChatTemplate(folder)).toBeUndefined();
    const named = [
      { name: 'tool_use', template: 'T' },
      { name: 'default', template: 'D' },
    ];
    await write('tokenizer_config.json', { chat_template: named });
    expect(await loadChatTemplate(folder)).toBe('D');
    await write('chat_template.jinja', '{{ 1 }}\n');
    expect(await loadChatTemplate(folder)).toBe('{{ 1 }}\n');
    await write('chat_template.json', { chat_template: 'J' });
    expect(await loadChatTemplate(folder)).toBe('J');
    expect(await loadChatTemplate(folder, asTokenizer)).toBe('{{ 1 }}\n');
    await write('processor_config.json', { chat_template: { default: 'P' } });
    const notices = new NoticeList();
    expect(await loadChatTemplate(folder, { notice: notices.take })).toBe('P');
    expect(notices.all.map(({ where }) => where)).toEqual([
      'chat_template.json',
      'chat_template.jinja',
      'tokenizer_config.json',
    ]);
    expect(notices.all[0]!.message).toBe(
      'It is not read: processor_config.json goes before it, and holds another template.',
    );
    expect(await loadChatTemplate(folder, asTokenizer)).toBe('{{ 1 }}\n');
  });

  it('says nothing of files that hold the same template', async () => {
    const notices = new NoticeList();
    await write('chat_template.json', { chat_template: 'J' });
    await write('tokenizer_config.json', { chat_template: 'J' });
    expect(await loadChatTemplate(folder, { notice: notices.take })).toBe('J');
    expect(notices.all).toEqual([]);
  });

  it('reads a folder of further templates as transformers does', async () => {
    await mkdir(join(folder, 'additional_chat_templates'));
    await write('additional_chat_templates/tools.jinja', 'T');
    await expect(loadChatTemplate(folder)).rejects.toThrow(
      /holds tools\.jinja, but neither a default\.jinja/,
    );
    await write('additional_chat_templates/default.jinja', 'A');
    expect(await loadChatTemplate(folder)).toBe('A');
    await write('chat_template.jinja', 'J');
    expect(await loadChatTemplate(folder)).toBe('J');
    // Its tokenizer reads them in the other order.
    expect(await loadChatTemplate(folder, { hasProcessor: false })).toBe('A');
    await write('chat_template.json', { chat_template: 'O' });
    await expect(loadChatTemplate(folder)).rejects.toThrow(
      /chat_template\.json and additional_chat_templates\/default\.jinja cannot stand in one folder/,
    );
  });

  it.each([
    ['processor_config.json', { chat_template: { tools: 'T' } }],
    ['tokenizer_config.json', { chat_template: [null, { name: 'tools', template: 'T' }] }],
    ['chat_template.json', {}],
    ['chat_template.json', { chat_template: 5 }],
  ])('refuses a %s without a template to take: %j', async (file, content) => {
    await write(file, content);
    await expect(loadChatTemplate(folder)).rejects.toThrow(`${file}: chat_template holds no template`);
  });

  it('names the file that is not valid JSON', async () => {
    await write('chat_template.json', '{');
    await expect(loadChatTemplate(folder)).rejects.toThrow(/chat_template\.json/);
  });
});
