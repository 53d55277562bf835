import { printableJson } from '@weft/errors';
import type { ConversationTools } from '@weft/runtime';
import { senseOf } from '@weft/spec';
import { ignored, type TrainingExample } from '@weft/train';
import { styleOf, type TerminalStream } from './terminal.js';

/**
 * A training example as text, a line for each run of tokens that is learnt or not; image tokens are counted.
 *
 * @param example labels are -100 where nothing is learnt
 */
export function maskText(
  { inputIds, labels }: TrainingExample,
  { tokenizer, model }: ConversationTools,
  stream: TerminalStream,
): string {
  const sense = senseOf(model, 'image');
  const { dim, green } = styleOf(stream);
  const learns = (i: number): boolean => labels[i] !== ignored;
  const textOf = (from: number, to: number): string => {
    const parts: string[] = [];
    for (let i = from; i < to;) {
      const isImage = (at: number): boolean => inputIds[at] === sense?.tokenId;
      let end = i + 1;
      while (end < to && isImage(end) === isImage(i)) end++;
      parts.push(
        isImage(i) ? `${sense!.placeholder} x ${end - i}` : tokenizer.decode(inputIds.slice(i, end)),
      );
      i = end;
    }
    return printableJson(JSON.stringify(parts.join('')));
  };
  const lines = [
    `${inputIds.length} tokens, ${labels.filter((label) => label !== ignored).length} of them are learnt:`,
  ];
  for (let i = 0; i < inputIds.length;) {
    let end = i + 1;
    while (end < inputIds.length && learns(end) === learns(i)) end++;
    const text = textOf(i, end);
    lines.push(learns(i) ? `  learnt  ${green(text)}` : `          ${dim(text)}`);
    i = end;
  }
  return lines.join('\n');
}
