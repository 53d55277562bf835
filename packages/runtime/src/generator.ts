import { InputError } from '@weft/errors';
import { part, type Json, type TokenPositions } from '@weft/spec';
import { Answer, continueAnswers } from './answer.js';
import { beamSearch, type Beam } from './beam-search.js';
import type { Engine } from './engine.js';
import type { GenerationSettings } from './generation-options.js';
import type { GenerationChunk, GenerationResult, Timings } from './generation-stream.js';
import type { Question } from './message.js';
import { PictureKeys } from './picture-keys.js';
import { visualTokenIds } from './place-visuals.js';
import { buildPrompt, type Prompt, type PromptTools } from './prompt.js';
import { readVisuals } from './read-visuals.js';
import { joined, Sequence, type RowTokens, type SeenPictures, type SequenceShape } from './sequence.js';
import { countPictures, isVideo, type Visual } from './visuals.js';

/** What generation needs of a loaded model. */
export interface GenerationContext extends PromptTools {
  readonly engine: Engine;
  /** `generation_config.json`. */
  readonly generation: Json;
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

export const shapeOf = ({ model }: Pick<GenerationContext, 'model'>): SequenceShape => ({
  hiddenSize: part(model, 'backbone').shape.hiddenSize,
  vocabSize: part(model, 'backbone').shape.vocabSize,
  visualTokenIds: visualTokenIds(model),
  axes: model.positions?.axes ?? 1,
});

/** Positions of a prompt's tokens from one of them on. */
const positionsFrom = ({ positions }: Prompt, from: number): TokenPositions | undefined =>
  positions && { axes: positions.axes.map((axis) => axis.slice(from)), next: positions.next };

/** Reads the pictures of a question and makes its prompt. */
export async function preparePrompt(
  context: GenerationContext,
  question: Question,
  { times, signal }: Omit<Progress, 'emit'>,
): Promise<Prompt> {
  if ((question.messages === undefined) === (question.prompt === undefined))
    throw new InputError({
      message: 'A request needs either messages or a prompt.',
      hint: 'Give one of the two.',
    });
  return timed(times, 'preprocess', async () =>
    buildPrompt(context, question, await readVisuals(question, signal, context.model.prompt.backdrop)),
  );
}

/** What the tokens of a prompt see of its pictures. */
type Sight = Pick<RowTokens, 'embeds' | 'seen'>;

/**
 * Image embeddings `[tokens, D]` for a prompt from one of its tokens on, and the keys of its pictures; only pictures
 * that are needed are encoded.
 */
export async function embedPictures(
  { model }: GenerationContext,
  prompt: Prompt,
  {
    from,
    keys,
    times,
    signal,
  }: {
    readonly from: number;
    readonly keys: PictureKeys;
    readonly times: Times;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Sight> {
  const { hiddenSize } = part(model, 'backbone').shape;
  const isPlaced = model.fusion.method !== 'B';
  const rows: Float32Array[] = [];
  const total = countPictures(prompt.pictures);
  for (const [image, picture] of prompt.pictures.entries()) {
    const places = prompt.imageAt.flatMap((owner, at) => (owner === image ? [at] : []));
    const skipped = isPlaced ? places.filter((place) => place < from).length : places.length;
    if (skipped === places.length && (keys.has(picture) || !prompt.visible)) continue;
    signal?.throwIfAborted();
    const { embeds, preprocess, encode } = await keys.encode(picture, total, signal);
    times.preprocess += preprocess;
    times.encode += encode;
    if (!isPlaced) continue;
    const { width, height } = isVideo(picture) ? picture.frames[0]! : picture;
    if (embeds.length !== places.length * hiddenSize)
      throw new InputError({
        message: `A ${isVideo(picture) ? 'video' : 'picture'} of ${width} x ${height} pixels gave ${embeds.length / hiddenSize} embeddings, but its prompt has ${places.length} image tokens.`,
        where: model.name,
        hint: 'The image processor and the connector do not agree.',
      });
    rows.push(embeds.subarray(skipped * hiddenSize));
  }
  return {
    embeds: rows.length === 0 ? undefined : joined(rows),
    seen: prompt.visible && seenPictures(prompt, prompt.visible, { from, keys }),
  };
}

function seenPictures(
  { ids, pictures }: Prompt,
  visible: Uint8Array,
  { from, keys }: { readonly from: number; readonly keys: PictureKeys },
): SeenPictures {
  const handles = pictures.flatMap((picture) => keys.get(picture) ?? []);
  const tiles = visible.length / ids.length;
  return { keys: handles.map(({ id }) => id), tiles, visible: visible.subarray(from * tiles) };
}

/** One answer to a prompt, of which the sequence holds the first `from` tokens already. */
export async function answerPrompt(
  context: GenerationContext,
  {
    prompt,
    settings,
    sequence,
    from,
    keys,
  }: {
    readonly prompt: Prompt;
    readonly settings: GenerationSettings;
    readonly sequence: Sequence;
    readonly from: number;
    readonly keys: PictureKeys;
  },
  { times, emit, signal }: Progress,
): Promise<GenerationResult> {
  const { tokenizer, maxPositions } = context;
  const answer = new Answer(prompt.ids, settings, tokenizer, { maxPositions, emit });
  let beams: Beam[] | undefined;
  try {
    const sight = await embedPictures(context, prompt, { from, keys, times, signal });
    const logits = await timed(times, 'prefill', () =>
      sequence.extend(
        [{ ids: prompt.ids.slice(from), ...sight, positions: positionsFrom(prompt, from) }],
        signal,
      ),
    );
    await timed(times, 'decode', async () => {
      if (settings.numBeams > 1)
        beams = await searchBeams(context, { prompt, settings, sequence, first: logits[0]!, answer }, signal);
      else
        await continueAnswers([answer], logits, (tokens) => {
          signal?.throwIfAborted();
          return sequence.extend([{ ids: tokens }], signal);
        });
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

async function searchBeams(
  { tokenizer }: GenerationContext,
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
  const beams = await beamSearch({
    promptIds: prompt.ids,
    settings,
    most: answer.most,
    first,
    next: async (parents, tokenIds) => {
      signal?.throwIfAborted();
      await sequence.select(parents);
      return sequence.extend(
        tokenIds.map((id) => ({ ids: [id] })),
        signal,
      );
    },
    isStopped: (tokenIds) => {
      if (settings.stop.length === 0) return false;
      const text = tokenizer.decode(tokenIds, { skipSpecialTokens: true });
      return settings.stop.some((stop) => text.includes(stop));
    },
  });
  for (const id of beams[0]?.tokenIds ?? []) answer.take(id);
  return beams;
}

/** Text of ids that were generated, without the stop string. */
function spoken(
  { tokenizer, maxPositions }: GenerationContext,
  prompt: Prompt,
  settings: GenerationSettings,
  tokenIds: readonly number[],
): string {
  const answer = new Answer(prompt.ids, settings, tokenizer, { maxPositions, emit: () => undefined });
  for (const id of tokenIds) answer.take(id);
  return answer.text;
}

/** Answers to several prompts in one batch. */
export async function answerBatch(
  context: GenerationContext,
  prompts: readonly Prompt[],
  settings: readonly GenerationSettings[],
  { times, signal }: Omit<Progress, 'emit'>,
): Promise<GenerationResult[]> {
  const { tokenizer, maxPositions, engine } = context;
  const emit = (): void => undefined;
  const answers = prompts.map(
    ({ ids }, i) => new Answer(ids, settings[i]!, tokenizer, { maxPositions, emit }),
  );
  const sequence = await Sequence.open(engine, shapeOf(context), prompts.length);
  const keys = new PictureKeys(engine);
  try {
    const rows: RowTokens[] = [];
    for (const prompt of prompts)
      rows.push({
        ids: prompt.ids,
        ...(await embedPictures(context, prompt, { from: 0, keys, times, signal })),
        positions: prompt.positions,
      });
    const logits = await timed(times, 'prefill', () => sequence.extend(rows, signal));
    await timed(times, 'decode', () =>
      continueAnswers(answers, logits, async (tokens, open) => {
        signal?.throwIfAborted();
        await sequence.select(open);
        return sequence.extend(
          tokens.map((id) => ({ ids: [id] })),
          signal,
        );
      }),
    );
  } catch (error) {
    if (!signal?.aborted) throw error;
    for (const answer of answers) answer.abort();
  } finally {
    sequence.release();
    keys.release();
  }
  return answers.map((answer, i) => resultOf(answer, prompts[i]!, { times, cachedTokens: 0 }));
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

/** Tokens that a sequence holds, with the pictures behind them. */
export type SeenTokens = Pick<Prompt, 'ids' | 'pictures' | 'imageAt'>;

/** The picture whose embedding stands at a place, by identity. */
const pictureAt = ({ pictures, imageAt }: SeenTokens, at: number): Visual | undefined =>
  pictures[imageAt[at] ?? -1];

/**
 * Tokens at the start that a prompt shares with what was read before, pictures included; one at least is left to read.
 *
 * @param unseenAttend whether tokens that see no picture depend on all of them, later ones as well
 */
export function sharedPrefix(prompt: Prompt, seen: SeenTokens, unseenAttend = false): number {
  const isOther =
    prompt.pictures.length !== seen.pictures.length ||
    prompt.pictures.some((one, i) => one !== seen.pictures[i]);
  const most = Math.min(
    prompt.ids.length - 1,
    seen.ids.length,
    unseenAttend && isOther ? firstUnseen(prompt) : Infinity,
  );
  const counts = [countTokens(prompt), countTokens(seen)] as const;
  let shared = 0;
  while (
    shared < most &&
    prompt.ids[shared] === seen.ids[shared] &&
    pictureAt(prompt, shared) === pictureAt(seen, shared) &&
    // A picture may be cut into fewer tiles once there are more pictures.
    counts[0][prompt.imageAt[shared] ?? -1] === counts[1][seen.imageAt[shared] ?? -1]
  )
    shared++;
  return shared;
}

/** Tokens of each picture. */
function countTokens({ pictures, imageAt }: SeenTokens): number[] {
  const counts = pictures.map(() => 0);
  for (const image of imageAt) if (image !== undefined) counts[image]!++;
  return counts;
}

/** The first token that sees no tile. */
function firstUnseen({ ids, visible = new Uint8Array(0) }: Prompt): number {
  const tiles = visible.length / ids.length;
  const at = ids.findIndex((_, i) => !visible.subarray(i * tiles, (i + 1) * tiles).includes(1));
  return at < 0 ? Infinity : at;
}
