import { InputError, isWeftError, parseJson, reasonOf, shown } from '@weft/errors';
import { roles, type ConversationTools, type Message, type MessagePart, type Role } from '@weft/runtime';
import { files, type OpenFile } from '@weft/weights';
import type { Dataset } from './dataset.js';
import { checkTurns, sftExample } from './sft.js';

export interface JsonlOptions extends ConversationTools {
  /** Folder to which image paths are relative; that of the file unless given. */
  readonly images?: string | undefined;
  /**
   * Whether images may lie outside of that folder, by an absolute path, `..` or a symbolic link; they may not unless given,
   * since samples of others could name any file of the machine.
   */
  readonly allowOutside?: boolean | undefined;
  /** Most tokens of a sample; no limit unless given. */
  readonly maxLength?: number | undefined;
}

/** One line of the file. */
interface Sample {
  readonly messages: readonly Message[];
  readonly images: readonly string[];
}

/**
 * Conversations of a JSON Lines file, one in each line: `{ "messages": [{ "role", "content" }], "images": ["a.png"] }`.
 * A content is a text or a list of `{ "type": "text", "text" }` and `{ "type": "image" }`. In texts `<image>` marks the
 * places of pictures if it occurs as often as there are images; without marks and parts the pictures come first in the
 * first user message. Videos are refused; other fields are left alone.
 *
 * Every line is checked at once, and that its images exist and lie in their folder; samples are read when they are asked
 * for.
 *
 * @throws InputError naming the line, if it is not such a conversation, or an image does not exist or lies elsewhere
 */
export async function jsonlDataset(file: string, options: JsonlOptions): Promise<Dataset> {
  const path = files.resolve(file);
  const folder = options.images === undefined ? files.dirname(path) : files.resolve(options.images);
  const lines = await findLines(path);
  const { allowOutside = false } = options;
  const known = new Set<string>();
  for (const line of lines) {
    const where = `${path}:${line.number}`;
    for (const image of parseSample(await readLine(path, line), where).images) {
      if (known.has(image)) continue;
      await findImage(image, { folder, allowOutside, where });
      known.add(image);
    }
  }
  return {
    size: lines.length,
    example: async (index) => {
      const line = lines[index]!;
      const where = `${path}:${line.number}`;
      const { messages, images } = parseSample(await readLine(path, line), where);
      try {
        const found: string[] = [];
        // Again, since links may have been changed since.
        for (const image of images) found.push(await findImage(image, { folder, allowOutside, where }));
        return await sftExample({ ...options, messages, images: found });
      } catch (error) {
        if (isWeftError(error)) throw new InputError({ message: error.message, where, cause: error });
        throw error;
      }
    },
  };
}

/** The path of a row's image, if there is one and it may be read. */
async function findImage(
  image: string,
  {
    folder,
    allowOutside,
    where,
  }: { readonly folder: string; readonly allowOutside: boolean; readonly where: string },
): Promise<string> {
  const fail = (message: string, hint: string): never => {
    throw new InputError({ message, where, hint });
  };
  const outside = (how: string): never =>
    fail(
      `The image ${shown(image, 200)} ${how} the folder of images, ${folder}.`,
      'Put it there, or allow it: `allowOutside` of jsonlDataset, "allowOutside": true beside "file" in a training configuration, or weft train --allow-outside.',
    );
  if (image.includes('\0'))
    fail(`The path of an image, ${shown(image, 200)}, has a NUL character.`, 'Mend the path.');
  const found = files.resolve(image, folder);
  if (!allowOutside && files.relative(folder, found) === undefined) outside('lies outside of');
  if ((await files.kindOf(found).catch(() => undefined)) !== 'file')
    fail(
      `There is not an image ${shown(found, 300)}.`,
      'Image paths are relative to the folder `images`, or else to that of the file.',
    );
  const [home, target] = [await files.realpath(folder), await files.realpath(found)];
  if (!allowOutside && files.relative(home, target) === undefined)
    outside(`is a symbolic link that leads to ${target}, outside of`);
  return found;
}

/** Place of a line in the file, bytes. */
interface Line {
  readonly start: number;
  readonly end: number;
  /** From 1. */
  readonly number: number;
}

/** The lines that are not blank. */
async function findLines(path: string): Promise<Line[]> {
  const lines: Line[] = [];
  let [start, at, number, isBlank] = [0, 0, 1, true];
  const close = (end: number): void => {
    if (!isBlank) lines.push({ start, end, number });
    [start, isBlank] = [end + 1, true];
    number++;
  };
  try {
    // A pipe or a device may have no end.
    if ((await files.kindOf(path)) !== 'file') throw new Error('it is not a file');
    await withFile(path, async (file) => {
      const chunk = new Uint8Array(2 ** 16);
      for (let count = 1; count > 0;) {
        count = await file.read(chunk, at);
        for (const byte of chunk.subarray(0, count)) {
          if (byte === 10) close(at);
          else if (byte > 32) isBlank = false;
          at++;
        }
      }
    });
  } catch (cause) {
    throw new InputError({
      message: `The samples cannot be read: ${reasonOf(cause)}.`,
      where: path,
      hint: 'Check the path.',
      cause,
    });
  }
  close(at);
  if (lines.length === 0)
    throw new InputError({
      message: 'The file has no samples.',
      where: path,
      hint: 'Write one conversation on each line.',
    });
  return lines;
}

const readLine = (path: string, { start, end }: Line): Promise<string> =>
  withFile(path, async (file) => {
    const bytes = new Uint8Array(end - start);
    const count = await file.read(bytes, start);
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, count));
  });

async function withFile<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  const file = await files.open(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function parseSample(text: string, where: string): Sample {
  const fail = (
    message: string,
    hint = 'A line is { "messages": [{ "role": "user", "content": "…" }, …], "images": ["a.png"] }.',
  ): never => {
    throw new InputError({ message, where, hint });
  };
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (cause) {
    return fail(`The line is not valid JSON: ${reasonOf(cause)}.`);
  }
  if (typeof json !== 'object' || json === null)
    return fail(`The line is ${text.slice(0, 40)}, expected an object.`);
  const { messages, images = [], videos } = json as Record<'messages' | 'images' | 'videos', unknown>;
  if (videos !== undefined && !(Array.isArray(videos) && videos.length === 0))
    return fail('The line has videos, which are not trained with.', 'Give single frames as images.');
  if (!Array.isArray(messages) || messages.length === 0)
    return fail(`messages is ${shown(messages)}, expected a list of messages.`);
  if (!Array.isArray(images) || images.some((image) => typeof image !== 'string'))
    return fail(`images is ${shown(images)}, expected a list of paths.`);
  const parsed = messages.map((message: unknown, i): Message => {
    const { role, content } = (message ?? {}) as { role?: unknown; content?: unknown };
    if (!isRole(role)) return fail(`messages[${i}].role is ${shown(role)}, expected ${roles.join(', ')}.`);
    if (typeof content === 'string') return { role, content };
    if (!Array.isArray(content))
      return fail(`messages[${i}].content is ${shown(content)}, expected a text or a list of parts.`);
    return {
      role,
      content: content.map(
        (part, j) =>
          parsePart(part) ??
          fail(
            `messages[${i}].content[${j}] is ${shown(part)}, expected { "type": "text", "text": "…" } or { "type": "image" }.`,
          ),
      ),
    };
  });
  return { messages: withMarkedImages(checkTurns(parsed, where), images.length, fail), images };
}

const isRole = (value: unknown): value is Role => (roles as readonly unknown[]).includes(value);

/** Parts of a row: pictures are listed apart from the messages, so their parts say nothing more. */
function parsePart(part: unknown): MessagePart | undefined {
  const { type, text, ...rest } = (part ?? {}) as { type?: unknown; text?: unknown };
  if (Object.values(rest).some((value) => value !== undefined && value !== null)) return undefined;
  if (type === 'image' && (text === undefined || text === null)) return { type };
  return type === 'text' && typeof text === 'string' ? { type, text } : undefined;
}

const mark = '<image>';

/** Parts in place of the marks in texts, if there are as many as images. */
function withMarkedImages(
  messages: readonly Message[],
  images: number,
  fail: (message: string, hint?: string) => never,
): readonly Message[] {
  const parts = messages
    .flatMap(({ content }) => (typeof content === 'string' ? [] : content))
    .filter(({ type }) => type === 'image').length;
  const marks = messages.reduce(
    (sum, { content }) => sum + (typeof content === 'string' ? content.split(mark).length - 1 : 0),
    0,
  );
  if (parts > 0 && parts !== images)
    fail(
      `The messages have ${parts} image parts, but there are ${images} images.`,
      'Write one part for each image.',
    );
  if (parts > 0 || images === 0 || marks === 0) return messages;
  if (marks !== images)
    fail(
      `The texts have ${marks} marks ${mark}, but there are ${images} images.`,
      'Write one mark for each image, or none.',
    );
  return messages.map(({ role, content }) => ({
    role,
    content: typeof content === 'string' ? partsAroundMarks(content) : content,
  }));
}

/** A line break beside a mark belongs to the mark: chat templates write their own. */
function partsAroundMarks(content: string): readonly MessagePart[] | string {
  const texts = content.split(mark);
  if (texts.length === 1) return content;
  return texts.flatMap((text, i): MessagePart[] => {
    const own = (i < texts.length - 1 ? text.replace(/\n$/, '') : text).slice(
      i > 0 && text.startsWith('\n') ? 1 : 0,
    );
    return [
      ...(i > 0 ? [{ type: 'image' } as const] : []),
      ...(own === '' ? [] : [{ type: 'text', text: own } as const]),
    ];
  });
}
