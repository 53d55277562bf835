import { InputError } from '@weft/errors';
import { modelOf } from '@weft/models';
import { senseOf, type Picture } from '@weft/spec';
import { loadChatTemplate, loadTokenizer, type Segment } from '@weft/text';
import { beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { readCheckpointFiles } from './checkpoint-files.js';
import { encodePieces } from './encode-pieces.js';
import type { ConversationTools, Message } from './message.js';
import { buildPrompt } from './prompt.js';
import { renderConversation } from './conversation.js';

const picture: Picture = { width: 30, height: 41, channels: 3, data: new Uint8Array(30 * 41 * 3) };
const image = { type: 'image' } as const;
const messages: Message[] = [
  { role: 'user', content: [image, { type: 'text', text: 'What color is the star?' }] },
  { role: 'assistant', content: 'It is red.' },
  { role: 'user', content: [{ type: 'text', text: 'And the circle?' }, image] },
];

async function toolsOf(name: string): Promise<ConversationTools> {
  const { folder, config, preprocessor } = await readCheckpointFiles(fixture(name));
  const model = await modelOf(config, { preprocessor });
  const tokenizer = await loadTokenizer(folder, { placeholders: ['<image>'] });
  return { model, tokenizer, chatTemplate: await loadChatTemplate(folder) };
}

/** The rendered text in pieces that end after each of the texts. */
function piecesOf(segments: readonly Segment[], ...ends: readonly string[]): Segment[][] {
  const pieces: Segment[][] = [[]];
  const waiting = [...ends];
  for (const { kind, text } of segments) {
    let rest = text;
    for (let at = rest.indexOf(waiting[0] ?? '\0'); at >= 0; at = rest.indexOf(waiting[0] ?? '\0')) {
      const end = at + waiting.shift()!.length;
      pieces.at(-1)!.push({ kind, text: rest.slice(0, end) });
      pieces.push([]);
      rest = rest.slice(end);
    }
    pieces.at(-1)!.push({ kind, text: rest });
  }
  return pieces.map((piece) => piece.filter(({ text }) => text !== ''));
}

describe.each(['llava-clip', 'llava-siglip-qwen2', 'smolvlm-many'])('encodePieces (%s)', (name) => {
  let tools: ConversationTools;
  let segments: Segment[];
  beforeAll(async () => {
    tools = await toolsOf(name);
    segments = renderConversation(tools, messages, { addGenerationPrompt: true });
  });

  it('gives the ids of the prompt, with the tokens of each picture in the piece of its placeholder', () => {
    const pieces = piecesOf(segments, 'star?', 'red.', 'circle?');
    const ids = encodePieces(tools, pieces, [picture, picture]);
    expect(ids).toHaveLength(4);
    expect(ids.flat()).toEqual(
      buildPrompt({ ...tools, maxPositions: Infinity }, { messages }, [picture, picture]).ids,
    );
    const { processor, tokenId: imageTokenId } = senseOf(tools.model, 'image')!;
    const tokens = ids.map((piece) => piece.filter((id) => id === imageTokenId).length);
    const each = processor.place(picture).tokens;
    expect(tokens).toEqual([each, 0, 0, each]);
  });

  it('encodes a piece on its own where a token would span the cut', () => {
    const whole = encodePieces(tools, [segments], [picture, picture]);
    const [before, after] = encodePieces(tools, piecesOf(segments, 'circ'), [picture, picture]);
    const text = (ids: readonly number[]) => tools.tokenizer.decode(ids);
    expect(text(before!).endsWith('And the circ')).toBe(true);
    expect(text([...before!, ...after!])).toBe(text(whole[0]!));
  });

  it('refuses more or fewer pictures than placeholders', () => {
    expect(() => encodePieces(tools, piecesOf(segments, 'red.'), [picture])).toThrow(InputError);
    expect(() => encodePieces(tools, piecesOf(segments, 'red.'), [picture, picture, picture])).toThrow(
      InputError,
    );
  });
});
