import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InputError } from '@weft/errors';
import { encodePng } from '@weft/image';
import { modelOf } from '@weft/models';
import { readCheckpointFiles } from '@weft/runtime';
import { senseOf } from '@weft/spec';
import { loadChatTemplate, loadTokenizer } from '@weft/text';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ignored } from './batch.js';
import { jsonlDataset, type JsonlOptions } from './jsonl-dataset.js';
import { sftExample } from './sft.js';

let folder: string;
let tools: Omit<JsonlOptions, 'images' | 'maxLength'>;
beforeAll(async () => {
  const checkpoint = fileURLToPath(new URL('../../models/__fixtures__/llava-siglip-qwen2', import.meta.url));
  const { config, preprocessor } = await readCheckpointFiles(checkpoint);
  tools = {
    model: await modelOf(config, { preprocessor }),
    tokenizer: await loadTokenizer(checkpoint, { placeholders: ['<image>'] }),
    chatTemplate: await loadChatTemplate(checkpoint),
  };
  folder = await mkdtemp(join(tmpdir(), 'weft-jsonl-'));
  const png = await encodePng({
    width: 9,
    height: 7,
    channels: 3,
    data: new Uint8Array(9 * 7 * 3).map((_, i) => i),
  });
  for (const name of ['a.png', 'b.png']) await writeFile(join(folder, name), png);
});
afterAll(() => rm(folder, { recursive: true }));

const line = (content: unknown, images?: readonly string[]) =>
  JSON.stringify({
    id: 7,
    messages: [
      { role: 'user', content },
      { role: 'assistant', content: 'yes' },
    ],
    ...(images && { images }),
  });

async function dataset(...lines: string[]) {
  const file = join(folder, 'samples.jsonl');
  await writeFile(file, lines.join('\n'));
  return jsonlDataset(file, tools);
}

describe('jsonlDataset', () => {
  it('reads one conversation for each line that is not blank', async () => {
    const data = await dataset(line('Größer? 😀'), '', line('Is it?', ['a.png']), '');
    expect(data.size).toBe(2);
    const [first, second] = [await data.example(0), await data.example(1)];
    expect(tools.tokenizer.decode(first.inputIds)).toContain('Größer? 😀');
    expect(first.images).toBeNull();
    expect(second.images!['pixel_values']!.shape[0]).toBe(1);
    expect(second.labels.filter((label) => label !== ignored)).toHaveLength(
      tools.tokenizer.encode('yes<|im_end|>').length,
    );
    expect(await data.example(1)).toEqual(second);
  });

  it('takes marks in texts as the places of pictures if there are as many', async () => {
    const image = { type: 'image' } as const;
    const text = (value: string) => ({ type: 'text', text: value }) as const;
    const data = await dataset(
      line('See <image>\nand\n<image>', ['a.png', 'b.png']),
      line([text('See '), image, text('and'), image], ['a.png', 'b.png']),
      line('What is <image>?'),
    );
    expect(await data.example(0)).toEqual(await data.example(1));
    const literal = await sftExample({
      ...tools,
      messages: [
        { role: 'user', content: 'What is <image>?' },
        { role: 'assistant', content: 'yes' },
      ],
    });
    expect(await data.example(2)).toEqual(literal);
    expect(literal.inputIds).not.toContain(senseOf(tools.model, 'image')!.tokenId);
  });

  it.each([
    ['{"messages": [', /not valid JSON/],
    ['[1]', /messages is missing/],
    ['{"messages": [{"role": "user"}]}', /messages\[0\].content is missing/],
    [
      '{"messages": [{"role": "user", "content": [{"type": "video"}]}]}',
      /messages\[0\].content\[0\] is {"type":"video"}/,
    ],
    ['{"messages": [{"role": "user", "content": "?"}]}', /last message is of the role 'user'/],
    [line('?', ['missing.png']), /There is not an image .*missing\.png/],
    [line('<image> <image> <image>', ['a.png', 'b.png']), /3 marks <image>, but there are 2 images/],
    [line('?').replace('{', '{"videos":["a.mp4"],'), /has videos, which are not trained with/],
    [line([{ type: 'image' }]), /1 image parts, but there are 0 images/],
  ])('names the line that cannot be used: %s', async (bad, message) => {
    const failure = dataset(line('good'), '', bad).catch((error: unknown) => error);
    expect(await failure).toBeInstanceOf(InputError);
    expect((await failure) as InputError).toMatchObject({
      message: expect.stringMatching(message),
      where: expect.stringMatching(/samples\.jsonl:3$/),
    });
  });

  it('refuses files that are missing or empty', async () => {
    await expect(jsonlDataset(join(folder, 'none.jsonl'), tools)).rejects.toThrow(/cannot be read/);
    await expect(dataset('', '')).rejects.toThrow(/has no samples/);
  });
});
