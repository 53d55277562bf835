import { InputError } from '@weft/errors';
import type { PromptForm } from '@weft/spec';
import type { Segment } from '@weft/text';
import type { Message } from './message.js';

/**
 * The places of all pictures.
 *
 * @throws InputError if the form has no room for that many
 */
export function formedPlaces(
  { before, mostImages }: PromptForm,
  placeholder: string,
  images: number,
): Segment[] {
  if (images > mostImages)
    throw new InputError({
      message: `${images} images were given, but the model takes at most ${mostImages} in a prompt.`,
      where: 'images',
      hint: 'Ask about one image after another.',
    });
  return [{ kind: 'template', text: placeholder.repeat(images) + before }];
}

/** The texts of a conversation; each answer follows `form.after`, as does the one to come. */
export function formedText({ after }: PromptForm, messages: readonly Message[]): Segment[] {
  const end: Segment = { kind: 'template', text: after };
  const segments = messages.flatMap(({ role, content }): Segment[] => {
    const texts =
      typeof content === 'string'
        ? [content]
        : content.flatMap((part) => (part.type === 'text' ? [part.text] : []));
    const text = texts.filter((own) => own !== '').map((own): Segment => ({ kind: 'user', text: own }));
    return role === 'assistant' ? [end, ...text] : text;
  });
  return [...segments, end];
}
