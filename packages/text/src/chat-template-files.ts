import { joinPath, listFolder, readTextFile } from '#backend';
import { ConfigError, type TakeNotice } from '@weft/errors';
import { readJsonFile } from './read-json-file.js';

export interface ChatTemplateOptions {
  /** Whether a processor reads the folder, as that of a model with sight, and not its tokenizer alone; true unless given. */
  readonly hasProcessor?: boolean | undefined;
  /** Takes what is said of templates that are not read. */
  readonly notice?: TakeNotice | undefined;
}

/** A template, and the file that it stands in. */
interface Found {
  readonly template: string;
  readonly place: string;
}

/** Further templates of a folder by their names. */
const furtherFolder = 'additional_chat_templates';

/**
 * Reads the chat template of a checkpoint folder, as transformers 5.18 does. Of a folder with a processor that is the
 * `chat_template` of `processor_config.json`; that of `chat_template.json`, the older form; `chat_template.jinja`;
 * `additional_chat_templates/default.jinja`. Of a tokenizer alone it is `additional_chat_templates/default.jinja`;
 * `chat_template.jinja`; the `chat_template` of `tokenizer_config.json`. Where these are missing the other's files are read,
 * which transformers leaves to its caller. Of several in one file, the one named `default` counts.
 *
 * @returns `undefined` if there is none: a base model may have none, and its prompts are plain text
 * @throws ConfigError naming the files if transformers refuses them together, or one holds no template
 */
export async function loadChatTemplate(
  folder: string,
  { hasProcessor = true, notice }: ChatTemplateOptions = {},
): Promise<string | undefined> {
  const read = (file: string): Promise<Found | undefined> => readTemplate(folder, file);
  const further = (await listFolder(joinPath(folder, furtherFolder))).filter((name) =>
    name.endsWith('.jinja'),
  );
  const [processor, legacy, jinja, more, tokenizer] = await Promise.all([
    read('processor_config.json'),
    read('chat_template.json'),
    readText(folder, 'chat_template.jinja'),
    further.includes('default.jinja') ? readText(folder, `${furtherFolder}/default.jinja`) : undefined,
    read('tokenizer_config.json'),
  ]);
  if (hasProcessor && legacy && further.length > 0)
    throw new ConfigError({
      message: `chat_template.json and ${furtherFolder}/${further[0]} cannot stand in one folder: transformers reads either the older file or the newer ones.`,
      where: folder,
      hint: 'Write the template of chat_template.json into chat_template.jinja, and remove the older file.',
    });
  const own = hasProcessor ? [processor, legacy, jinja, more] : [more, jinja, tokenizer];
  const spare = hasProcessor ? [tokenizer] : [processor, legacy];
  const isNameless = further.length > 0 && !jinja && !more && !(hasProcessor && processor);
  if (isNameless)
    throw new ConfigError({
      message: `${furtherFolder} holds ${further.join(', ')}, but neither a default.jinja nor a chat_template.jinja stands beside.`,
      where: folder,
      hint: 'Rename the one that counts to chat_template.jinja.',
    });
  const [first, ...others] = [...own, ...spare].filter((found) => found !== undefined);
  for (const { place, template } of others)
    if (template !== first!.template)
      notice?.({
        where: place,
        message: `It is not read: ${first!.place} goes before it, and holds another template.`,
      });
  return first?.template;
}

async function readText(folder: string, place: string): Promise<Found | undefined> {
  const template = await readTextFile(joinPath(folder, place));
  return template === undefined ? undefined : { template, place };
}

async function readTemplate(folder: string, file: string): Promise<Found | undefined> {
  const json = await readJsonFile(joinPath(folder, file));
  if (typeof json !== 'object' || json === null) return undefined;
  const value = 'chat_template' in json ? json.chat_template : undefined;
  // The older file is there for its template only.
  if ((value === undefined || value === null) && file !== 'chat_template.json') return undefined;
  const template = templateIn(value);
  if (template !== undefined) return { template, place: file };
  throw new ConfigError({
    message: `${file}: chat_template holds no template: it is ${typeof value === 'object' ? 'of several, but none is named default' : String(value)}.`,
    where: folder,
    hint: 'It is a text, or several texts by name, one of them `default`.',
  });
}

function templateIn(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return undefined;
  if (!Array.isArray(value)) return 'default' in value ? templateIn(value.default) : undefined;
  const isDefault = (entry: unknown): entry is { readonly template?: unknown } =>
    typeof entry === 'object' && entry !== null && 'name' in entry && entry.name === 'default';
  return templateIn(value.find(isDefault)?.template);
}
