import { InputError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import type { MessageInput, MessagePart } from './message.js';
import { readMessages } from './read-message.js';

const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const bytes = new Uint8Array([137, 80, 78, 71]);
const dataUrl = `data:image/png;base64,${png}`;
const web = 'https://pictures.example/cat.png';

const partOf = (part: unknown): unknown => {
  const [message] = readMessages([{ role: 'user', content: [part] }]);
  return (message!.content as readonly MessagePart[])[0];
};

describe('readMessages', () => {
  it('leaves texts and own parts as they are', () => {
    const messages: MessageInput[] = [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'image', image: 'cat.jpg' },
          { type: 'text', text: 'What?' },
        ],
      },
      { role: 'assistant', content: 'A cat.' },
      { role: 'user', content: [{ type: 'video', frames: ['a.png', 'b.png'], fps: 3 }] },
    ];
    expect(readMessages(messages)).toEqual(messages);
  });

  it.each<[string, unknown, unknown]>([
    ['OpenAI', { type: 'image_url', image_url: { url: dataUrl, detail: 'low' } }, dataUrl],
    ['an address as text', { type: 'image_url', image_url: web }, web],
    ["OpenAI's responses", { type: 'input_image', image_url: dataUrl, detail: 'auto' }, dataUrl],
    ["OpenAI's file", { type: 'file', file: { filename: 'a.png', file_data: dataUrl } }, dataUrl],
    ['an input file', { type: 'input_file', filename: 'a.png', file_data: dataUrl }, dataUrl],
    ["the AI SDK's bytes", { type: 'image', image: bytes, mediaType: 'image/png' }, bytes],
    ["the AI SDK's base64", { type: 'image', image: png }, `data:image/*;base64,${png}`],
    ["the AI SDK's file", { type: 'file', mediaType: 'image/png', data: bytes }, bytes],
    ["the AI SDK's file in base64", { type: 'file', mediaType: 'image/png', data: png }, dataUrl],
    ["the AI SDK's file in its interface", { type: 'file', mediaType: 'image/png', url: web }, web],
    ["transformers' address", { type: 'image', url: web }, web],
    ["transformers' path", { type: 'image', path: 'cat.jpg' }, 'cat.jpg'],
    ["transformers' base64", { type: 'image', base64: png }, `data:image/*;base64,${png}`],
    ['a path like base64', { type: 'image', image: '/9j/cat' }, '/9j/cat'],
  ])('reads pictures as written by %s', (_, part, image) => {
    expect(partOf(part)).toEqual({ type: 'image', image });
  });

  it.each([
    [{ type: 'input_text', text: 'What?' }],
    [{ type: 'output_text', text: 'What?', annotations: [] }],
    [{ type: 'text', text: 'What?', cache_control: { type: 'ephemeral' } }],
    [{ type: 'text', text: 'What?', image: null }],
  ])('reads texts as written by others: %j', (part) => {
    expect(partOf(part)).toEqual({ type: 'text', text: 'What?' });
  });

  it.each<[unknown, RegExp]>([
    [{ type: 'imag', image: 'cat.jpg' }, /type "imag", which is not read[^]*messages\[0\]\.content\[0\]/],
    [{ type: 'video_url', video_url: { url: web } }, /type "video_url"[^]*Types are text,/],
    [{ type: 'input_audio', input_audio: { data: '' } }, /type "input_audio"/],
    [{ type: 'toString' }, /type "toString"/],
    [{ text: 'What?' }, /type missing/],
    ['What?', /is "What\?", expected an object/],
    [null, /is null, expected an object/],
    [{ type: 'image', imag: 'cat.jpg' }, /field 'imag', which is not read/],
    [{ type: 'image', image: 'a.png', url: web }, /image and url, expected one/],
    [{ type: 'text' }, /text of a part is missing/],
    [{ type: 'text', text: 7 }, /text of a part is 7/],
    [{ type: 'text', text: 'a', image: 'cat.jpg' }, /field 'image'/],
    [{ type: 'video', video: 'film.mp4' }, /field 'video', which is not read[^]*frames, fps/],
    [{ type: 'video', frames: 'film.mp4' }, /frames are "film\.mp4"/],
    [{ type: 'file', mediaType: 'application/pdf', data: png }, /type "application\/pdf"/],
    [{ type: 'file', file: { file_id: 'file-7' } }, /file_id, but no data/],
    [{ type: 'file', data: png }, /type missing was sent/],
    [{ type: 'image_url', image_url: { url: '/home/someone/cat.png' } }, /expected a data: URL/],
    [{ type: 'image_url', image_url: 'file:///home/someone/cat.png' }, /expected a data: URL/],
    [{ type: 'image_url', image_url: {} }, /address of a picture is missing/],
    [{ type: 'file', mediaType: 'image/png', url: 'file:///a.png' }, /expected a data: URL/],
  ])('refuses %j', (part, message) => {
    expect(() => partOf(part)).toThrow(message);
    expect(() => partOf(part)).toThrow(InputError);
  });

  it.each<[unknown, RegExp]>([
    [{ role: 'users', content: 'a' }, /role is "users", expected 'system', 'user'/],
    [{ role: 'User', content: 'a' }, /role is "User"[^]*lower case/],
    [{ content: 'a' }, /role is missing/],
    [{ role: 'constructor', content: 'a' }, /role is "constructor"/],
    [{ role: 'user' }, /content is missing/],
    [{ role: 'user', content: 7 }, /content is 7/],
    [{ role: 'assistant', content: null }, /content is null/],
    [{ role: 'user', content: 'a', images: ['cat.jpg'] }, /field 'images'[^]*parts of the content/],
    [{ role: 'user', text: 'a' }, /field 'text'/],
    ['What?', /message is "What\?", expected an object/],
  ])('refuses the message %j', (message, expected) => {
    expect(() => readMessages([message])).toThrow(expected);
  });

  it('keeps what templates read of calls of tools', () => {
    const calls = [{ type: 'function', function: { name: 'look', arguments: { at: 'cat' } } }];
    expect(
      readMessages([
        { role: 'assistant', content: null, tool_calls: calls, refusal: null, providerOptions: {} },
        { role: 'tool', content: 'seen', tool_call_id: '1', name: 'look' },
      ]),
    ).toEqual([
      { role: 'assistant', content: '', tool_calls: calls },
      { role: 'tool', content: 'seen', tool_call_id: '1', name: 'look' },
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    ['name', {}, /field 'name' is \{\}, expected a text/],
    ['tool_calls', 'look()', /'tool_calls' is "look\(\)", expected a list of calls[^]*function/],
    ['tool_calls', ['look()'], /'tool_calls' is \["look\(\)"\]/],
    ['reasoning_content', 5, /'reasoning_content' is 5/],
    ['thinking', [{ text: 'hm' }], /'thinking' is \[/],
    ['tool_call_id', false, /'tool_call_id' is false/],
  ])('refuses the field %s that is no text of its kind', (key, value, expected) => {
    const read = () => readMessages([{ role: 'assistant', content: 'a', [key]: value }]);
    expect(read).toThrow(InputError);
    expect(read).toThrow(expected);
  });

  it('names what it refuses where JSON has no form for it', () => {
    const own: Record<string, unknown> = {};
    own['self'] = own;
    for (const message of [
      { role: 'user', content: 5n },
      { role: 'user', content: own },
      { role: 5n, content: 'a' },
      { role: 'user', content: [{ type: own }] },
    ])
      expect(() => readMessages([message])).toThrow(InputError);
  });

  const circular: unknown[] = [];
  circular.push(circular);
  let deep: unknown = 'x';
  for (let i = 0; i < 6000; i++) deep = [deep];
  it.each([
    ['a role that is nested deep', { role: deep, content: 'a' }, /role is a value of type object/],
    ['a name that is no text', { role: 'user', name: deep, content: 'a' }, /'name' is .*expected a text/],
    [
      'a call that holds itself',
      { role: 'assistant', content: 'a', tool_calls: circular },
      /expected a list of/,
    ],
    [
      'calls that JSON cannot say',
      { role: 'assistant', content: 'a', tool_calls: [{ at: 1n }] },
      /'tool_calls'/,
    ],
    [
      'calls that are nested deep',
      { role: 'assistant', content: 'a', tool_calls: [deep] },
      /at most 500 deep/,
    ],
    ['the number of a call', { role: 'tool', content: 'a', tool_call_id: 7 }, /'tool_call_id' is 7/],
  ])('refuses %s', (_, message, expected) => {
    expect(() => readMessages([message])).toThrow(InputError);
    expect(() => readMessages([message])).toThrow(expected);
  });
});
