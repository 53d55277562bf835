import { InputError } from '@weft/errors';
import { visualTokenIds } from '@weft/feeds';
import { part, senseOf, type Model, type TokenPositions } from '@weft/spec';
import { withRenderThread } from '@weft/text';
import { Answer } from './answer.js';
import { beamSearch, type Beam } from './beam-search.js';
import type { EmbedPiece, RowPictures } from './engine.js';
import type { GenerationDefaults } from './generation-config.js';
import type { GenerationSettings } from './generation-options.js';
import { answerLength } from './generation-settings.js';
import type { GenerationChunk, GenerationResult, Timings } from './generation-stream.js';
import { buildPrompt, type Prompt, type PromptTools } from './prompt.js';
import type { Question, QuestionInput } from './message.js';
import { readMessages } from './read-message.js';
import { readVisuals } from './read-visuals.js';
import type { PictureLease, PictureStore } from './picture-store.js';
import { blockKeys, blockTokens } from './prefix-store.js';
import { keyedPrompt, type KeyedPrompt } from './prompt-keys.js';
import type { PrefixClaim, PrefixQueue } from './prefix-queue.js';
import { cutPieces, Sequence, type RowTokens, type SequenceShape, type SequenceTools } from './sequence.js';
import { isVideo } from './visuals.js';

/** What generation needs of a loaded model. */
export interface GenerationContext extends PromptTools, SequenceTools {
  readonly pictures: PictureStore;
  readonly prefixes: PrefixQueue;
  /** Bytes of keys and values that the engine holds for other prompts. */
  readonly prefixCacheBytes: number;
  /** What the checkpoint says about generation. */
  readonly generation: GenerationDefaults;
  readonly endTokenIds: ReadonlySet<number>;
  /** ms. */
  readonly loadTime: number;
}

/** Times of one answer while they add up. */
export type Times = { -readonly [K in keyof Timings]: number };

export const startTimes = ({ loadTime }: GenerationContext): Times => ({
  load: loadTime,
  preprocess: 0,
  encode: 0,
  prefill: 0,
  decode: 0,
});

/** Where an answer's parts go while it is generated. */
export interface Progress {
  readonly times: Times;
  readonly emit: (chunk: GenerationChunk) => void;
  readonly signal?: AbortSignal | undefined;
}

async function timed<T>(times: Times, key: keyof Times, action: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await action();
  } finally {
    times[key] += performance.now() - started;
  }
}

/** Tokens that a model predicts. */
export const vocabSizeOf = ({ model }: GenerationContext): number => part(model, 'backbone').shape.vocabSize;

/** @throws InputError if a prompt leaves no room for an answer */
export function requireRoom(
  { maxPositions }: GenerationContext,
  { ids }: Prompt,
  settings: GenerationSettings,
): void {
  answerLength(settings, ids.length, maxPositions);
}

export const shapeOf = (model: Model): SequenceShape => ({
  visualTokenIds: visualTokenIds(model),
  axes: model.positions?.axes ?? 1,
});

/** Positions of a prompt's tokens from one of them on. */
const positionsFrom = ({ positions }: Prompt, from: number): TokenPositions | undefined =>
  positions && { axes: positions.axes.map((axis) => axis.slice(from)), next: positions.next };

/** Tokens beyond which a growing text is read anew; texts with pictures never are. */
export const readsAnewBeyond = (model: Model): number | undefined =>
  model.senses.length === 0 ? part(model, 'backbone').frequencies?.readsAnewBeyond : undefined;

/** Reads the pictures of a question and makes its prompt. */
export async function preparePrompt(
  context: GenerationContext,
  given: QuestionInput,
  { times, signal }: Omit<Progress, 'emit'>,
): Promise<KnownPrompt> {
  if ((given.messages === undefined) === (given.prompt === undefined))
    throw new InputError({
      message: 'A request needs either messages or a prompt.',
      hint: 'Give one of the two.',
    });
  const question: Question = given.messages ? { ...given, messages: readMessages(given.messages) } : given;
  return timed(times, 'preprocess', async () => {
    const { model } = context;
    const visuals = await readVisuals(question, signal, model.prompt.backdrop);
    const prompt = await withRenderThread(() => buildPrompt(context, question, visuals), { signal });
    const keys = await keyedPrompt(prompt, {
      unseenAttend: senseOf(model, 'image')?.cross?.unseenAttend,
      frequencies: part(model, 'backbone').frequencies,
    });
    return { ...prompt, keys };
  });
}

/** What the tokens of a prompt see of its pictures. */
type Sight = Pick<RowTokens, 'pieces' | 'seen'>;

/** A prompt, and what tells it from others. */
export interface KnownPrompt extends Prompt {
  readonly keys: KeyedPrompt;
}

/**
 * The embeddings that a prompt needs from one of its tokens on, and what the tokens see of its pictures; only pictures
 * that are needed are taken.
 */
async function takePictures(
  { model }: GenerationContext,
  prompt: KnownPrompt,
  {
    from,
    lease,
    times,
    signal,
  }: {
    readonly from: number;
    readonly lease: PictureLease;
    readonly times: Times;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Sight> {
  const isPlaced = model.fusion.method !== 'B';
  const needed = prompt.pictures.map((visual, image) => {
    const places = prompt.imageAt.flatMap((owner, at) => (owner === image ? [at] : []));
    const skipped = isPlaced ? places.filter((place) => place < from).length : places.length;
    const placement = prompt.placements[image]!;
    return {
      look: { visual, placement },
      key: prompt.keys.pictureKeys[image]!,
      places: places.length,
      skipped,
    };
  });
  const taken = await Promise.all(
    needed.map(async ({ look, key, places, skipped }): Promise<EmbedPiece[]> => {
      if (skipped === places && !prompt.visible) return [];
      const { picture, isNew } = await lease.take(key, look, signal);
      if (isNew) {
        times.preprocess += picture.preprocess;
        times.encode += picture.encode;
      }
      if (!isPlaced) return [];
      const perTile = senseOf(model, 'image')?.cross?.tokensPerTile ?? 0;
      const pieces = picture.placed?.map((tile) => ({
        picture: picture.id,
        from: tile * perTile,
        count: perTile,
      })) ?? [{ picture: picture.id, from: 0, count: picture.tokens }];
      const given = pieces.reduce((sum, { count }) => sum + count, 0);
      const { visual } = look;
      const { width, height } = isVideo(visual) ? visual.frames[0]! : visual;
      if (given !== places)
        throw new InputError({
          message: `A ${isVideo(visual) ? 'video' : 'picture'} of ${width} x ${height} pixels gave ${given} embeddings, but its prompt has ${places} image tokens.`,
          where: model.name,
          hint: 'The image processor and the connector do not agree.',
        });
      return cutPieces(pieces, skipped, places - skipped);
    }),
  );
  const pieces = taken.flat();
  return {
    pieces: pieces.length === 0 ? undefined : pieces,
    seen: prompt.visible && rowPictures(prompt, prompt.visible, { from, lease }),
  };
}

function rowPictures(
  { ids, keys }: KnownPrompt,
  visible: Uint8Array,
  { from, lease }: { readonly from: number; readonly lease: PictureLease },
): RowPictures {
  const pictures = keys.pictureKeys.flatMap((key) => {
    const picture = lease.get(key);
    return picture && picture.tiles > 0 ? [picture.id] : [];
  });
  const tiles = visible.length / ids.length;
  return { pictures, tiles, visible: visible.subarray(from * tiles) };
}

/** A sequence that is about to read a prompt. */
export interface OpenPrompt {
  readonly sequence: Sequence;
  /** Ends when the prompt is read. */
  readonly claim: PrefixClaim;
}

/** Keys of the blocks of a prompt that others may hold; one token at least is left to read. */
const blocksOf = ({ prefixCacheBytes }: GenerationContext, { keys }: KnownPrompt): string[] =>
  prefixCacheBytes > 0 ? blockKeys(keys, keys.ids.length - 1) : [];

/** A sequence that begins with what is held of a prompt. @throws the signal's reason if it is aborted */
export async function openPrompt(
  context: GenerationContext,
  prompt: KnownPrompt,
  signal: AbortSignal | undefined,
): Promise<OpenPrompt> {
  const blocks = blocksOf(context, prompt);
  const claim = await context.prefixes.claim(blocks, signal);
  try {
    const sequence = await Sequence.open(context, blocks);
    claim.open(Math.floor(sequence.length / blockTokens));
    return { sequence, claim };
  } catch (error) {
    claim.finish();
    throw error;
  }
}

/** A sequence that holds the first tokens of a prompt already. */
export function continuePrompt(
  context: GenerationContext,
  prompt: KnownPrompt,
  sequence: Sequence,
): OpenPrompt {
  const held = Math.floor(sequence.length / blockTokens);
  return { sequence, claim: context.prefixes.begin(blocksOf(context, prompt), held) };
}

/** One answer to a prompt, of which the sequence holds the first tokens already. */
export async function answerPrompt(
  context: GenerationContext,
  {
    prompt,
    settings,
    opened,
    lease,
  }: {
    readonly prompt: KnownPrompt;
    readonly settings: GenerationSettings;
    readonly opened: OpenPrompt;
    readonly lease: PictureLease;
  },
  { times, emit, signal }: Progress,
): Promise<GenerationResult> {
  const { tokenizer, maxPositions } = context;
  const { sequence } = opened;
  const from = sequence.length;
  const answer = new Answer(prompt.ids, settings, tokenizer, { maxPositions, emit });
  let beams: Beam[] | undefined;
  try {
    const first = await readPrompt(context, { prompt, opened, lease }, { times, signal });
    await timed(times, 'decode', async () => {
      if (settings.numBeams > 1)
        beams = await searchBeams(context, { prompt, settings, sequence, first, answer }, signal);
      else
        for (let logits = first; ;) {
          answer.accept(logits);
          if (answer.finishReason) return;
          signal?.throwIfAborted();
          logits = await goOn(context, sequence, { ids: [...prompt.ids, ...answer.tokenIds], signal });
        }
    });
  } catch (error) {
    if (!signal?.aborted) throw error;
    answer.abort();
  }
  const result = resultOf(answer, prompt, { times, cachedTokens: from });
  if (!beams || settings.numReturnSequences === 1) return result;
  return {
    ...result,
    sequences: beams.map(({ tokenIds, score }) => ({
      tokenIds,
      score,
      text: spoken(context, prompt, settings, tokenIds),
    })),
  };
}

/** Reads what a sequence does not hold of a prompt, and holds its beginning for others. @returns the last logits */
async function readPrompt(
  context: GenerationContext,
  {
    prompt,
    opened: { sequence, claim },
    lease,
  }: { readonly prompt: KnownPrompt; readonly opened: OpenPrompt; readonly lease: PictureLease },
  { times, signal }: Omit<Progress, 'emit'>,
): Promise<Float32Array> {
  const from = sequence.length;
  try {
    const sight = await takePictures(context, prompt, { from, lease, times, signal });
    const logits = await timed(times, 'prefill', () =>
      sequence.extend(
        { ids: prompt.ids.slice(from), ...sight, positions: positionsFrom(prompt, from) },
        signal,
      ),
    );
    sequence.hold(claim.blocks);
    return logits;
  } finally {
    claim.finish();
  }
}

/** Appends the last of a text's tokens, or reads all of it anew where the frequencies of its model change. @returns logits */
async function goOn(
  { model }: Pick<GenerationContext, 'model'>,
  sequence: Sequence,
  { ids, signal }: { readonly ids: readonly number[]; readonly signal: AbortSignal | undefined },
): Promise<Float32Array> {
  const border = readsAnewBeyond(model);
  if (border === undefined || sequence.length > border || ids.length <= border)
    return sequence.extend({ ids: ids.slice(-1) }, signal);
  await sequence.truncate(0);
  return sequence.extend({ ids }, signal);
}

async function searchBeams(
  { tokenizer, model }: GenerationContext,
  given: {
    readonly prompt: Prompt;
    readonly settings: GenerationSettings;
    readonly sequence: Sequence;
    readonly first: Float32Array;
    readonly answer: Answer;
  },
  signal: AbortSignal | undefined,
): Promise<Beam[]> {
  const { prompt, settings, sequence, first, answer } = given;
  // The prompt's sequence stays as it is.
  let running = [await sequence.fork()];
  let texts: readonly (readonly number[])[] = [prompt.ids];
  try {
    const beams = await beamSearch({
      promptIds: prompt.ids,
      settings,
      most: answer.most,
      first,
      next: async (parents, tokenIds) => {
        signal?.throwIfAborted();
        running = await branch(running, parents);
        texts = tokenIds.map((id, i) => [...texts[parents[i]!]!, id]);
        // Each has a signal of its own: one that dozens listen to looks like a leak to Node.
        const own = () => signal && AbortSignal.any([signal]);
        return Promise.all(texts.map((ids, i) => goOn({ model }, running[i]!, { ids, signal: own() })));
      },
      isStopped: (tokenIds) => {
        if (answer.isLate) return true;
        if (settings.stop.length === 0) return false;
        const text = tokenizer.decode(tokenIds, { skipSpecialTokens: true });
        return settings.stop.some((stop) => text.includes(stop));
      },
    });
    const { tokenIds } = beams[0]!;
    for (const [i, id] of tokenIds.entries()) answer.take(id, i === tokenIds.length - 1);
    return beams;
  } finally {
    for (const beam of running) beam.release();
  }
}

/** Sequences that go on from the named ones, which may be named several times; the others are freed. */
async function branch(sequences: readonly Sequence[], parents: readonly number[]): Promise<Sequence[]> {
  const result: Sequence[] = [];
  for (const [i, parent] of parents.entries()) {
    const sequence = sequences[parent]!;
    result.push(parents.indexOf(parent) === i ? sequence : await sequence.fork());
  }
  for (const [i, sequence] of sequences.entries()) if (!parents.includes(i)) sequence.release();
  return result;
}

/** Text of ids that were generated, without the stop string. */
function spoken(
  { tokenizer, maxPositions }: GenerationContext,
  prompt: Prompt,
  settings: GenerationSettings,
  tokenIds: readonly number[],
): string {
  const answer = new Answer(prompt.ids, settings, tokenizer, { maxPositions, emit: () => undefined });
  for (const [i, id] of tokenIds.entries()) answer.take(id, i === tokenIds.length - 1);
  return answer.text;
}

function resultOf(
  answer: Answer,
  prompt: Prompt,
  { times, cachedTokens }: { times: Times; cachedTokens: number },
): GenerationResult {
  return {
    text: answer.text,
    tokenIds: answer.tokenIds,
    finishReason: answer.finishReason ?? 'length',
    promptTokens: prompt.ids.length,
    cachedTokens,
    imageTokens: prompt.imageTokens,
    generatedTokens: answer.tokenIds.length,
    timings: { ...times },
  };
}

/** What an answer amounts to that was aborted before its prompt was ready. */
export const abortedResult = (times: Times): GenerationResult => ({
  text: '',
  tokenIds: [],
  finishReason: 'abort',
  promptTokens: 0,
  cachedTokens: 0,
  imageTokens: 0,
  generatedTokens: 0,
  timings: { ...times },
});
