import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isWeftError, NoticeList } from '@weft/errors';
import { modelOf } from '@weft/models';
import { senseOf, type Json, type Picture } from '@weft/spec';
import { loadChatTemplate, loadTokenizer } from '@weft/text';
import { afterAll, describe, expect, it } from 'vitest';
import { readCheckpointFiles } from './checkpoint-files.js';
import { findChatTemplate } from './index.js';
import { buildPrompt } from './prompt.js';
import { renderConversation } from './conversation.js';
import type { Message } from './message.js';

/** A change of a JSON object. */
interface Patch {
  readonly set?: Json;
  readonly drop?: readonly string[];
}

/** A folder, described by what distinguishes it from a fixture's, and what transformers makes of it. */
interface Case {
  readonly of: string;
  readonly templates?: readonly string[];
  readonly size: readonly [width: number, height: number];
  readonly tokenizer?: Patch;
  readonly files?: Json;
  readonly nested?: Patch | null;
  readonly own?: Patch;
  readonly outer?: Patch;
  readonly gives?: {
    readonly text?: string;
    readonly ids: string;
    readonly length: number;
    readonly pixels?: { readonly count: number; readonly mean: number; readonly at: readonly number[] };
  };
  readonly fails?: string;
}

const stored = process.env['FILE_AGES'] ?? new URL('./__fixtures__/file-ages.json', import.meta.url);
const cases = JSON.parse(readFileSync(stored, 'utf8')) as readonly Case[];
const models = new URL('../../models/__fixtures__/', import.meta.url).pathname;
const root = mkdtempSync(join(tmpdir(), 'weft-file-ages-'));
afterAll(() => rmSync(root, { recursive: true }));

const read = (fixture: string, name: string): Json | undefined => {
  try {
    return JSON.parse(readFileSync(join(models, fixture, name), 'utf8')) as Json;
  } catch {
    return undefined;
  }
};

const patched = (base: Json, { set = {}, drop = [] }: Patch): Json => ({
  ...Object.fromEntries(Object.entries(base).filter(([key]) => !drop.includes(key))),
  ...set,
});

const textTemplate =
  "{{ bos_token }}{% for message in messages %}{{ '[' + message['role'] + ']' + message['content'] }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}";
const sightTemplate =
  "{% for message in messages %}{{ '[' + message['role'] + ']' }}{% for part in message['content'] %}" +
  "{% if part['type'] == 'image' %}{{ 'IMAGE' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}";
const placeholders: Readonly<Record<string, string>> = {
  pixtral: '[IMG]',
  mllama: '<|image|>',
  aria: '<|img|>',
  internvl: '<IMG_CONTEXT>',
  janus: '<image_placeholder>',
  qwen2: '<|vision_start|><|image_pad|><|vision_end|>',
  'qwen2.5': '<|vision_start|><|image_pad|><|vision_end|>',
};

/** The templates of a family, which differ in the letter at their end; by the file that holds them. */
function templatesOf(fixture: string): Record<string, string> {
  const [family = ''] = fixture.split('-');
  const start = family === 'mllama' ? '{{ bos_token }}' : '';
  const whole =
    family === 'text'
      ? textTemplate
      : start + sightTemplate.replace('IMAGE', placeholders[family] ?? '<image>');
  const places = ['jinja', 'json', 'processor', 'tokenizer', 'tokenizer-list', 'extra', 'extra-default'];
  return Object.fromEntries(places.map((place, i) => [place, `${whole} <extra_0> star ${'ABCDEFG'[i]}`]));
}

/** Writes the folder of a case, without weights. */
function build(given: Case, folder: string): void {
  const { of: fixture, templates = [], tokenizer = {}, nested, own, outer } = given;
  mkdirSync(folder);
  for (const name of ['config.json', 'tokenizer.json'])
    cpSync(join(models, fixture, name), join(folder, name));
  const { image_processor: inside, ...beside } = read(fixture, 'processor_config.json') ?? {};
  const { processor_class: _class, ...image } = (inside ??
    read(fixture, 'preprocessor_config.json') ??
    {}) as Json;
  const text = templatesOf(fixture);
  const has = (place: string): boolean => templates.includes(place);
  const settings: Record<string, unknown> = {
    ...patched(read(fixture, 'tokenizer_config.json')!, tokenizer),
  };
  if (has('tokenizer')) settings['chat_template'] = text['tokenizer'];
  if (has('tokenizer-list'))
    settings['chat_template'] = [
      { name: 'other', template: 'no' },
      { name: 'default', template: text['tokenizer-list'] },
    ];
  const files: Record<string, unknown> = { ...given.files, 'tokenizer_config.json': settings };
  if (own) files['preprocessor_config.json'] = patched(image, own);
  if (outer || has('processor'))
    files['processor_config.json'] = {
      ...patched(beside, outer ?? {}),
      ...(nested === undefined ? {} : { image_processor: nested && patched(image, nested) }),
      ...(has('processor') ? { chat_template: text['processor'] } : {}),
    };
  if (has('json')) files['chat_template.json'] = { chat_template: text['json'] };
  for (const [name, value] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(value));
  if (has('jinja')) writeFileSync(join(folder, 'chat_template.jinja'), text['jinja']!);
  const more = join(folder, 'additional_chat_templates');
  for (const [place, name] of [
    ['extra', 'other'],
    ['extra-default', 'default'],
  ] as const)
    if (has(place)) {
      mkdirSync(more, { recursive: true });
      writeFileSync(join(more, `${name}.jinja`), text[place]!);
    }
}

/** A smooth picture by a rule that both sides know. */
function picture([width, height]: Case['size']): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++) {
        const value = (x * (3 + c) + y * (5 - c) + Math.floor((x * y) / 7) + 40 * c) % 511;
        data[(y * width + x) * 3 + c] = Math.min(value, 510 - value);
      }
  return { width, height, channels: 3, data };
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** What Weft makes of a folder. */
async function ask(folder: string, { of: fixture, size }: Case) {
  const notices = new NoticeList();
  const files = await readCheckpointFiles(folder, notices.take);
  const model = await modelOf(files.config, { ...files.recipe, notice: notices.take });
  const [tokenizer, chatTemplate] = await Promise.all([
    loadTokenizer(folder, { placeholders: model.senses.map(({ placeholder }) => placeholder) }),
    loadChatTemplate(folder, { hasProcessor: model.senses.length > 0, notice: notices.take }),
  ]);
  // Fuyu's processor has no part in templates.
  const isForm = fixture.startsWith('fuyu');
  const tools = {
    model,
    tokenizer,
    chatTemplate: isForm ? undefined : chatTemplate,
    maxPositions: Infinity,
  };
  const question = 'What is it?';
  const sense = senseOf(model, 'image');
  const seen = sense ? [picture(size)] : [];
  const content = sense ? ([{ type: 'image' }, { type: 'text', text: question }] as const) : question;
  const messages = [{ role: 'user', content }] as unknown as readonly Message[];
  const rendered = isForm
    ? undefined
    : renderConversation(tools, messages, { addGenerationPrompt: true })
        .map(({ text }) => text)
        .join('');
  const { ids } = buildPrompt(tools, isForm ? { prompt: question } : { messages }, seen);
  const inputs = sense?.processor.process(seen).inputs ?? {};
  return {
    text: rendered === undefined ? undefined : digest(rendered),
    ids,
    pixels: (inputs['pixel_values'] ?? inputs['image_patches'])?.data as Float32Array | undefined,
    notices: notices.all,
  };
}

/**
 * What Weft takes although transformers fails: it has the numbers of processor_config.json from the model where the file
 * does not say them, and the tokenizer's template where the processor has none.
 */
const isLeftToTheModel = ({ outer, templates = [], fails = '' }: Case): boolean =>
  (outer === undefined && !templates.includes('processor')) || /chat.template|NoneType/.test(fails);

/**
 * What Weft refuses although transformers takes it: tiles that are not those of `config.json`, a rare form of a size, a class
 * that the model type has no processor for, and templates without a name for Fuyu, whose processor reads none.
 */
const refusals =
  /processor_config\.json\) makes tiles of .* but the encoder of config\.json takes|size is .*, expected longest_edge|crop_size is .*, expected the side of size|but config\.json is of a \w+, whose pictures|neither a default\.jinja/;
const refused: number[] = [];

const show = ({ of: fixture, gives: _gives, fails: _fails, ...rest }: Case): string =>
  `${fixture} ${JSON.stringify(rest)}`;

describe('files of several years in one folder', () => {
  it.each(cases.map((one, i) => [i, show(one), one] as const))('%i: %s', async (i, _, one) => {
    const folder = join(root, String(i));
    build(one, folder);
    const { gives, fails } = one;
    const found = await ask(folder, one).catch((error: unknown) => {
      if (isWeftError(error)) return error as Error;
      throw error;
    });
    if (!gives) {
      const isRefused = found instanceof Error || isLeftToTheModel(one);
      expect(isRefused ? '' : `transformers: ${fails}`).toBe('');
      return;
    }
    if (found instanceof Error) {
      refused.push(i);
      expect(found.message).toMatch(refusals);
      return;
    }
    expect(found.text).toBe(gives.text);
    expect([found.ids.length, digest(found.ids.join(','))]).toEqual([gives.length, gives.ids]);
    if (!gives.pixels) return;
    const { count, mean, at } = gives.pixels;
    const pixels = found.pixels!;
    expect(pixels.length).toBe(count);
    expect(pixels.reduce((sum, value) => sum + value, 0) / count).toBeCloseTo(mean, 2);
    for (const [number, value] of at.entries())
      // One level of a byte is at most 0.015 after normalisation, and a whole level where pixels are not rescaled.
      expect(Math.abs(pixels[(number * 2654435761 + 17) % count]! - value)).toBeLessThan(
        Math.max(0.02, Math.abs(value) * 0.02),
      );
  });
});

it('gives the chat template under its name of before, too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-template-'));
  try {
    expect(await findChatTemplate(folder)).toBeUndefined();
    writeFileSync(join(folder, 'tokenizer_config.json'), '{"chat_template": "of the tokenizer"}');
    expect(await findChatTemplate(folder)).toBe('of the tokenizer');
    writeFileSync(join(folder, 'chat_template.jinja'), 'of its own file');
    writeFileSync(join(folder, 'chat_template.json'), '{"chat_template": "of the older file"}');
    expect(await findChatTemplate(folder)).toBe('of the older file');
    expect(await findChatTemplate(folder, { hasProcessor: false })).toBe('of its own file');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('refuses few folders that transformers takes', () => {
  expect(refused.length).toBeLessThan(0.05 * cases.length);
});
