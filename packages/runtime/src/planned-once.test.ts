import { InputError } from '@weft/errors';
import { modelOf } from '@weft/models';
import { senseOf, type ImagePlacement, type ImageProcessor, type Model, type Picture } from '@weft/spec';
import { describe, expect, it } from 'vitest';
import { fixture } from '../test/fixtures.js';
import { readCheckpointFiles } from './checkpoint-files.js';
import { load } from './load.js';

const picture = (width: number, height: number): Picture => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 41 + width) % 256),
});
const pictures = [picture(90, 30), picture(30, 60)];

interface Asked {
  /** What `place` was given and said. */
  readonly placed: { readonly size: readonly number[]; readonly placement: ImagePlacement }[];
  /** What `process` was given, call by call. */
  readonly processed: (readonly ImagePlacement[] | undefined)[];
}

/** The model of a fixture, its processor of pictures changed, and what that is asked. */
async function observed(
  name: string,
  change: (own: ImageProcessor) => Partial<ImageProcessor> = () => ({}),
): Promise<{ readonly model: Model; readonly asked: Asked }> {
  const files = await readCheckpointFiles(fixture(name));
  const model = await modelOf(files.config, files);
  const sense = senseOf(model, 'image')!;
  const own = { ...sense.processor, ...change(sense.processor) };
  const asked: Asked = { placed: [], processed: [] };
  const processor: ImageProcessor = {
    ...own,
    place: (size, index, total) => {
      const placement = own.place(size, index, total);
      asked.placed.push({ size: [size.width, size.height, index!, total!], placement });
      return placement;
    },
    process: (given, placements) => {
      asked.processed.push(placements);
      return own.process(given, placements);
    },
  };
  const senses = model.senses.map((one) => (one.kind === 'image' ? { ...one, processor } : one));
  return { model: { ...model, senses }, asked };
}

const question = (placeholder: string) => ({
  prompt: `${placeholder}${placeholder} What is it?`,
  images: pictures,
  maxNewTokens: 3,
});

describe.each(['internvl-two', 'nvlm-x', 'qwen2-vl-two'])('pictures of a question to %s', (name) => {
  it('are planned once each, and become pixels by that plan', async () => {
    const { model, asked } = await observed(name);
    const loaded = await load(fixture(name), { model });
    const { placeholder } = senseOf(model, 'image')!;
    await loaded.generate(question(placeholder)).result();
    expect(asked.placed.map(({ size }) => size)).toEqual([
      [90, 30, 0, 2],
      [30, 60, 1, 2],
    ]);
    expect(asked.processed.map((given) => given!.length)).toEqual([1, 1]);
    for (const [i, { placement }] of asked.placed.entries()) expect(asked.processed[i]![0]).toBe(placement);
    await loaded.close();
  });

  it('answer the same in a thread of its own, where the plan is a copy', async () => {
    const answers = await Promise.all(
      [true, false].map(async (worker) => {
        const loaded = await load(fixture(name), { worker });
        const { placeholder } = senseOf(loaded.model, 'image')!;
        const { tokenIds, imageTokens } = await loaded.generate(question(placeholder)).result();
        await loaded.close();
        return { tokenIds, imageTokens };
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]!.imageTokens).toBeGreaterThan(0);
  });
});

describe('a picture', () => {
  it('whose placement is of another size is an error, and not encoded wrongly', async () => {
    const { model } = await observed('internvl-two', (own) => ({
      place: (_size, index, total) => own.place({ width: 30, height: 30 }, index, total),
    }));
    const loaded = await load(fixture('internvl-two'), { model });
    const answer = loaded.generate(question(senseOf(model, 'image')!.placeholder)).result();
    await expect(answer).rejects.toThrow(InputError);
    await expect(answer).rejects.toThrow(/is 90 x 30 pixels, but was placed as 30 x 30 pixels/);
    await loaded.close();
  });

  it('is planned as one of all when pictures are encoded alone', async () => {
    const { model, asked } = await observed('internvl-two');
    const loaded = await load(fixture('internvl-two'), { model });
    const embeds = await loaded.encodeImages(pictures);
    expect(asked.placed.map(({ size }) => size.slice(2))).toEqual([
      [0, 2],
      [1, 2],
    ]);
    expect(asked.processed.flat()).toEqual(asked.placed.map(({ placement }) => placement));
    expect(embeds.map(({ length }) => length)).toEqual(
      asked.placed.map(
        ({ placement }) => placement.tokens * (embeds[0]!.length / asked.placed[0]!.placement.tokens),
      ),
    );
    await loaded.close();
  });
});
