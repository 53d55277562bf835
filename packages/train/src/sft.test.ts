import { fileURLToPath } from 'node:url';
import { ConfigError, InputError } from '@weft/errors';
import { modelOf } from '@weft/models';
import { readCheckpointFiles, renderConversation, type Message } from '@weft/runtime';
import { loadChatTemplate, loadTokenizer } from '@weft/text';
import { senseOf, type Picture } from '@weft/spec';
import { beforeAll, describe, expect, it } from 'vitest';
import { ignored } from './batch.js';
import type { TrainingExample } from './training-example.js';
import { sftExample, type SftSample } from './sft.js';

type Tools = Omit<SftSample, 'messages'>;
const names = ['llava-clip', 'llava-siglip-qwen2', 'smolvlm-many', 'text-llama3', 'text-qwen2-tied'] as const;
const tools = {} as Record<(typeof names)[number], Tools>;

beforeAll(async () => {
  for (const name of names) {
    const folder = fileURLToPath(new URL(`../../models/__fixtures__/${name}`, import.meta.url));
    const { config, preprocessor } = await readCheckpointFiles(folder);
    const model = await modelOf(config, { preprocessor });
    const tokenizer = await loadTokenizer(folder, {
      placeholders: model.senses.map(({ placeholder }) => placeholder),
    });
    tools[name] = { model, tokenizer, chatTemplate: await loadChatTemplate(folder) };
  }
});

const picture: Picture = { width: 20, height: 14, channels: 3, data: new Uint8Array(20 * 14 * 3).fill(90) };
const user = (content: Message['content']): Message => ({ role: 'user', content });
const assistant = (content: string): Message => ({ role: 'assistant', content });
const twoTurns = [user('Is it red?'), assistant('no'), user('Then what?'), assistant('It is blue.')];

/** The text of each run of supervised tokens. */
function supervised({ tokenizer }: Tools, { inputIds, labels }: TrainingExample): string[] {
  const runs: number[][] = [[]];
  for (const [i, label] of labels.entries()) {
    if (label === ignored) runs.push([]);
    else {
      expect(label).toBe(inputIds[i]);
      runs.at(-1)!.push(label);
    }
  }
  return runs.filter((run) => run.length > 0).map((run) => tokenizer.decode(run));
}

describe('sftExample', () => {
  it('supervises answers with their end of turn, and nothing else', async () => {
    const chatml = await sftExample({
      ...tools['text-qwen2-tied'],
      messages: [{ role: 'system', content: 'Be short.' }, ...twoTurns],
    });
    expect(supervised(tools['text-qwen2-tied'], chatml)).toEqual(['no<|im_end|>', 'It is blue.<|im_end|>']);
    const smolvlm = await sftExample({ ...tools['smolvlm-many'], messages: twoTurns, images: [picture] });
    expect(supervised(tools['smolvlm-many'], smolvlm)).toEqual([
      ' no<end_of_utterance>',
      ' It is blue.<end_of_utterance>',
    ]);
    const qwen = await sftExample({ ...tools['llava-siglip-qwen2'], messages: twoTurns, images: [picture] });
    expect(supervised(tools['llava-siglip-qwen2'], qwen)).toEqual(['no<|im_end|>', 'It is blue.<|im_end|>']);
  });

  it('puts an end of sequence after each answer that the template ends with no control token', async () => {
    const { tokenizer } = tools['llava-clip'];
    const example = await sftExample({ ...tools['llava-clip'], messages: twoTurns, images: [picture] });
    expect(supervised(tools['llava-clip'], example)).toEqual(['no</s>', 'It is blue.</s>']);
    expect(example.inputIds.at(-1)).toBe(tokenizer.eosTokenId);
    const silent = { ...tokenizer, eosTokenId: undefined };
    await expect(
      sftExample({ ...tools['llava-clip'], tokenizer: silent, messages: twoTurns }),
    ).rejects.toThrow(ConfigError);
  });

  it.each(names)('gives each answer the ids before it that generation would give it (%s)', async (name) => {
    const { tokenizer, model } = tools[name];
    const example = await sftExample({ ...tools[name], messages: twoTurns });
    const rendered = renderConversation(tools[name], twoTurns.slice(0, 1), { addGenerationPrompt: true });
    const frame = model.senses.length > 0 && !rendered[0]!.text.startsWith(tokenizer.bosToken ?? '\0');
    const prompt = tokenizer.encode(rendered.map(({ text }) => text).join(''), { addSpecialTokens: frame });
    expect(example.inputIds.slice(0, prompt.length)).toEqual(prompt);
    expect(example.labels.findIndex((label) => label !== ignored)).toBe(prompt.length);
  });

  it('puts pictures without a place first, and gives their pixels and their tokens', async () => {
    const { model } = tools['llava-clip'];
    const tokens = senseOf(model, 'image')!.processor.place(picture).tokens;
    const image = { type: 'image' } as const;
    const given = await sftExample({
      ...tools['llava-clip'],
      messages: [user([image, image, { type: 'text', text: 'Same?' }]), assistant('yes')],
      images: [picture, picture],
    });
    const implied = await sftExample({
      ...tools['llava-clip'],
      messages: [user('Same?'), assistant('yes')],
      images: [picture, picture],
    });
    expect(implied).toEqual(given);
    expect(given.inputIds.filter((id) => id === senseOf(model, 'image')!.tokenId)).toHaveLength(2 * tokens);
    expect(given.images!['pixel_values']!.shape.slice(0, 2)).toEqual([2, 3]);
    expect((await sftExample({ ...tools['llava-clip'], messages: twoTurns })).images).toBeNull();
  });

  it('sees the backdrop that the model wants through transparent pixels, and asks the processor once', async () => {
    // One transparent pixel.
    const clear =
      'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR42mNgAAIAAAUAAen63NgAAAAASUVORK5CYII=';
    const { model } = tools['llava-clip'];
    const sense = senseOf(model, 'image')!;
    const asked: string[] = [];
    const processor: typeof sense.processor = {
      ...sense.processor,
      place: (...size) => (asked.push('place'), sense.processor.place(...size)),
      process: (...given) => (asked.push('process'), sense.processor.process(...given)),
    };
    const pixelsOf = async (backdrop: 'white' | undefined) => {
      const changed = { ...model, senses: [{ ...sense, processor }], prompt: { backdrop } };
      const example = { ...tools['llava-clip'], model: changed, messages: twoTurns, images: [clear] };
      return (await sftExample(example)).images!['pixel_values']!.data as Float32Array;
    };
    const [white, plain] = [await pixelsOf('white'), await pixelsOf(undefined)];
    expect(white[0]).toBeGreaterThan(plain[0]!);
    expect(asked).toEqual(['process', 'process']);
  });

  it('keeps control tokens and placeholders in texts as text, in answers too', async () => {
    const hostile = 'a <image> b </s> c <end_of_utterance><|im_end|>';
    for (const name of names) {
      const { tokenizer } = tools[name];
      const specials = async (text: string): Promise<number[]> => {
        const { inputIds } = await sftExample({ ...tools[name], messages: [user(text), assistant(text)] });
        return inputIds.filter(
          (id) =>
            tokenizer.specialIds.has(id) &&
            id !== tokenizer.tokenToId('<unk>') &&
            tokenizer.idToToken(id) !== '<|endoftext|>',
        );
      };
      expect(await specials(hostile), name).toEqual(await specials('hello'));
    }
  });

  it('supervises a control token in an answer as its text, up to the end that the template writes', async () => {
    const example = await sftExample({
      ...tools['text-qwen2-tied'],
      messages: [user('Say it.'), assistant('<|im_end|> ends a turn')],
    });
    expect(supervised(tools['text-qwen2-tied'], example)).toEqual(['<|im_end|> ends a turn<|im_end|>']);
  });

  it('refuses templates that write a turn differently once others follow', async () => {
    const thinking =
      "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}[assistant]<think>{% endif %}";
    await expect(
      sftExample({ ...tools['text-llama3'], chatTemplate: thinking, messages: twoTurns }),
    ).rejects.toThrow(/message 1: the turn that asks for it is rendered differently/);
    const shortening =
      "{% for m in messages %}[{{ m['role'] }}]{% if loop.last or m['role'] == 'user' %}{{ m['content'] }}{% else %}{{ m['content'][:1] }}{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    await expect(
      sftExample({ ...tools['text-llama3'], chatTemplate: shortening, messages: twoTurns }),
    ).rejects.toThrow(ConfigError);
  });

  it('refuses templates that leave out an answer', async () => {
    const forgetful =
      "{% for m in messages %}[{{ m['role'] }}]{% if loop.last or m['role'] == 'user' %}{{ m['content'] }}{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    await expect(
      sftExample({ ...tools['text-llama3'], chatTemplate: forgetful, messages: twoTurns }),
    ).rejects.toThrow(/leaves out the text of a message \(role 'assistant'\)[^]*messages\[1\]/);
  });

  it('learns a text that has no template, up to the end of sequence', async () => {
    const example = await sftExample({
      ...tools['llava-clip'],
      chatTemplate: undefined,
      messages: [user([{ type: 'image' }]), assistant('A red star.')],
      images: [picture],
    });
    expect(supervised(tools['llava-clip'], example)).toEqual(['A red star.</s>']);
  });

  it('refuses conversations without an answer at the end, pictures without a place, and too many tokens', async () => {
    const base = tools['llava-clip'];
    await expect(sftExample({ ...base, messages: [] })).rejects.toThrow(/has no messages/);
    await expect(sftExample({ ...base, messages: [user('Hello?')] })).rejects.toThrow(
      /The last message is of the role 'user'/,
    );
    await expect(sftExample({ ...base, messages: [assistant('Hello.')] })).rejects.toThrow(/first message/);
    await expect(
      sftExample({
        ...base,
        messages: [user([{ type: 'image' }]), assistant('?')],
        images: [picture, picture],
      }),
    ).rejects.toThrow(InputError);
    await expect(
      sftExample({ ...tools['text-llama3'], messages: twoTurns, images: [picture] }),
    ).rejects.toThrow(/text model/);
    await expect(sftExample({ ...base, messages: twoTurns, maxLength: 5 })).rejects.toThrow(
      /tokens, but at most 5 are allowed/,
    );
  });
});
