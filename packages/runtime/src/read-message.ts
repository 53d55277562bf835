import { deepestJson, InputError, shown } from '@weft/errors';
import { roles, type Message, type MessageFields, type MessagePart, type Role } from './message.js';
import type { ImageInput } from './visuals.js';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Messages of a conversation, however they were written: strings stay strings, and parts in the forms of OpenAI, the AI SDK
 * and transformers become Weft's own. Nothing is dropped: what cannot be read is refused.
 *
 * @param messages a list of objects with `role` and `content`
 * @throws InputError that names the message and the part, for an unknown role, an unknown type of part, a field that says
 *   something that would not be heard, or a file that is no image
 */
export function readMessages(messages: unknown, where = 'messages'): Message[] {
  if (!Array.isArray(messages))
    throw new InputError({
      message: `The messages are ${shown(messages)}, expected a list.`,
      where,
      hint: "Write [{ role: 'user', content: '…' }].",
    });
  return messages.map((message, i) => readMessage(message, `${where}[${i}]`));
}

const told = ['name', 'tool_calls', 'tool_call_id', 'reasoning_content', 'thinking'] as const;

/** Fields of other programs that change nothing of what is said. */
const silent = new Set([
  'id',
  'metadata',
  'createdAt',
  'providerOptions',
  'providerMetadata',
  'experimental_providerMetadata',
  'cache_control',
]);

function readMessage(message: unknown, where: string): Message {
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    throw new InputError({ message: `A message is ${shown(message)}, expected an object.`, where });
  const { role, content, ...rest } = message as Fields;
  if (!isRole(role))
    throw new InputError({
      message: `The role is ${shown(role)}, expected ${roles.map((known) => `'${known}'`).join(', ')}.`,
      where,
      hint: 'Roles are written in lower case.',
    });
  for (const [key, value] of Object.entries(rest))
    if (!isSilent(key, value) && !(told as readonly string[]).includes(key))
      throw new InputError({
        message: `A message has the field '${key}', which is not read.`,
        where,
        hint:
          key === 'images'
            ? "Pictures are parts of the content ({ type: 'image', image }), or `images` of the request."
            : `Beside role and content, messages have ${told.join(', ')}.`,
      });
  const said = told.filter((key) => rest[key] !== undefined && rest[key] !== null);
  for (const key of said) checkField(key, rest[key], where);
  const fields: MessageFields = Object.fromEntries(said.map((key) => [key, rest[key]]));
  return { role, content: readContent(content, fields, where), ...fields };
}

/** Templates write what they are given: of a number or an object they would make a text that nobody said. */
function checkField(key: (typeof told)[number], value: unknown, where: string): void {
  const isCalls = key === 'tool_calls';
  const isRight = isCalls
    ? Array.isArray(value) &&
      value.every((call) => typeof call === 'object' && call !== null) &&
      isJson(value, deepestJson)
    : typeof value === 'string';
  if (isRight) return;
  throw new InputError({
    message: `The field '${key}' is ${shown(value)}, expected ${isCalls ? `a list of calls, JSON that is nested at most ${deepestJson} deep` : 'a text'}.`,
    where,
    ...(isCalls ? { hint: "Write [{ type: 'function', function: { name: '…', arguments: { … } } }]." } : {}),
  });
}

/** Whether JSON can say a value, within so many levels; a value that holds itself has more than any. */
function isJson(value: unknown, levels: number): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value !== 'object') return ['string', 'number', 'boolean'].includes(typeof value);
  return levels > 0 && Object.values(value).every((own) => isJson(own, levels - 1));
}

const isRole = (value: unknown): value is Role => (roles as readonly unknown[]).includes(value);

function readContent(content: unknown, fields: MessageFields, where: string): Message['content'] {
  if (typeof content === 'string') return content;
  if (Array.isArray(content)) return content.map((part, j) => readPart(part, `${where}.content[${j}]`));
  if ((content === undefined || content === null) && (fields.tool_calls?.length ?? 0) > 0) return '';
  throw new InputError({
    message: `The content is ${shown(content)}, expected a text or a list of parts.`,
    where,
    hint: "Parts are { type: 'text', text }, { type: 'image', image } and { type: 'video', frames }.",
  });
}

/** What reads a part of a type. */
interface PartReader {
  /** Fields that the part may have beside `type`. */
  readonly fields: readonly string[];
  readonly read: (part: Fields, where: string) => MessagePart;
}

const text: PartReader = {
  fields: ['text', 'annotations', 'logprobs', 'state'],
  read: ({ text: value }, where) => {
    if (typeof value === 'string') return { type: 'text', text: value };
    throw new InputError({ message: `The text of a part is ${shown(value)}, expected a string.`, where });
  },
};

const imageUrl: PartReader = {
  fields: ['image_url', 'detail'],
  read: ({ image_url: given }, where) => {
    const url = typeof given === 'object' && given !== null ? (given as Fields)['url'] : given;
    return { type: 'image', image: sentUrl(url, where) };
  },
};

const sources = ['image', 'url', 'path', 'base64'] as const;

const image: PartReader = {
  fields: [...sources, 'mediaType', 'mimeType'],
  read: (part, where) => {
    const given = sources.filter((key) => part[key] !== undefined);
    if (given.length > 1)
      throw new InputError({
        message: `An image part has ${given.join(' and ')}, expected one of them.`,
        where,
      });
    const value = part[given[0] ?? ''];
    if (value === undefined) return { type: 'image' };
    if (given[0] === 'base64') return { type: 'image', image: dataUrl(String(value)) };
    return { type: 'image', image: isBareBase64(value) ? dataUrl(value) : (value as ImageInput) };
  },
};

const video: PartReader = {
  fields: ['frames', 'fps'],
  read: (part, where) => {
    const { frames, fps } = part;
    if (frames !== undefined && !Array.isArray(frames))
      throw new InputError({
        message: `The frames are ${shown(frames)}, expected a list of pictures.`,
        where,
      });
    return { type: 'video', ...(frames ? { frames } : {}), ...(fps == null ? {} : { fps: fps as number }) };
  },
};

const file: PartReader = {
  fields: ['file', 'data', 'url', 'file_data', 'mediaType', 'mimeType', 'filename', 'name'],
  read: (part, where) => {
    // OpenAI's chat completions have one level more.
    const own = typeof part['file'] === 'object' && part['file'] !== null ? (part['file'] as Fields) : part;
    const data = own['file_data'] ?? own['data'] ?? own['url'];
    const type = own['mediaType'] ?? own['mimeType'] ?? typeOfUrl(data);
    if (data === undefined)
      throw new InputError({
        message: `A file part has ${Object.keys(own).join(', ')}, but no data.`,
        where,
        hint: "Files that lie elsewhere are not fetched: write { type: 'file', mediaType: 'image/png', data }.",
      });
    if (typeof type !== 'string' || !/^image\//i.test(type))
      throw new InputError({
        message: `A file of the type ${shown(type)} was sent, but models read images only.`,
        where,
        hint: "Write its text as a part of type 'text', or send its pages as images.",
      });
    if (typeof data !== 'string') return { type: 'image', image: data as ImageInput };
    return { type: 'image', image: isUrl(data) ? sentUrl(data, where) : dataUrl(data, type) };
  },
};

const readers: ReadonlyMap<string, PartReader> = new Map([
  ['text', text],
  ['input_text', text],
  ['output_text', text],
  ['image', image],
  ['image_url', imageUrl],
  ['input_image', imageUrl],
  ['file', file],
  ['input_file', file],
  ['video', video],
]);

function readPart(part: unknown, where: string): MessagePart {
  if (typeof part !== 'object' || part === null || Array.isArray(part))
    throw new InputError({
      message: `A part of the content is ${shown(part)}, expected an object with a type.`,
      where,
      hint: "A text is { type: 'text', text: '…' }.",
    });
  const { type, ...rest } = part as Fields;
  const reader = typeof type === 'string' ? readers.get(type) : undefined;
  if (!reader)
    throw new InputError({
      message: `A part of the content has the type ${shown(type)}, which is not read.`,
      where,
      hint: `Types are ${[...readers.keys()].join(', ')}.`,
    });
  for (const [key, value] of Object.entries(rest))
    if (!isSilent(key, value) && !reader.fields.includes(key))
      throw new InputError({
        message: `A part of type '${String(type)}' has the field '${key}', which is not read.`,
        where,
        hint: `Its fields are ${reader.fields.join(', ')}.`,
      });
  return reader.read(rest, where);
}

/** Whether a field says nothing that could be missed. */
const isSilent = (key: string, value: unknown): boolean =>
  silent.has(key) || value === undefined || value === null || (Array.isArray(value) && value.length === 0);

/**
 * An address of a picture in a form that servers are sent.
 *
 * @throws InputError for a path or a `file:` URL: bodies of requests must not name files of the machine that answers
 */
function sentUrl(url: unknown, where: string): ImageInput {
  if (url instanceof URL ? !isLocal(url.href) : typeof url === 'string' && isUrl(url) && !isLocal(url))
    return url as string | URL;
  throw new InputError({
    message: `The address of a picture is ${shown(url)}, expected a data: URL.`,
    where,
    hint: "A file of this machine is written { type: 'image', image: path }.",
  });
}

const isUrl = (value: string): boolean => /^[a-z][a-z0-9+.-]+:/i.test(value);
const isLocal = (value: string): boolean => /^file:/i.test(value);

const typeOfUrl = (value: unknown): string | undefined =>
  typeof value === 'string'
    ? /^data:([^;,]+)/i.exec(value)?.[1]
    : value instanceof Blob
      ? value.type
      : undefined;

const dataUrl = (base64: string, type = 'image/*'): string =>
  isUrl(base64) ? base64 : `data:${type};base64,${base64}`;

/** How files of pictures begin in base64: PNG, JPEG, GIF, WebP, BMP, TIFF. No path of this length looks like it. */
const beginnings = /^(iVBORw0KGgo|\/9j\/|R0lGOD|UklGR|Qk[0-3]|SUkqA|TU0AK)/;

const isBareBase64 = (value: unknown): value is string =>
  typeof value === 'string' && value.length >= 40 && beginnings.test(value) && /^[\w+/-]+=*$/.test(value);
