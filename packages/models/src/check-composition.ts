import { ConfigError, InputError, isWeftError } from '@weft/errors';
import {
  checkConfig,
  type ConfigFields,
  type ImageSense,
  type PromptRule,
  type VisionEncoder,
} from '@weft/spec';
import type { CrossComposition } from './cross-sight.js';

/** What a composition says of tokens: whose places they take, and whose embeddings the backbone has. */
export interface PlacedToken {
  readonly kind: 'image' | 'video';
  readonly id: number;
  readonly placeholder: string;
}

/**
 * Checks the tokens that pictures and videos take the places of.
 *
 * @param known token embeddings of the backbone
 * @throws ConfigError if one has no embedding, or two are the same
 */
export function checkTokens(tokens: readonly PlacedToken[], known: number, where: string): void {
  for (const { kind, id } of tokens)
    if (!Number.isInteger(id) || id < 0 || id >= known)
      throw new ConfigError({
        message: `The ${kind} token ${id} is outside of the backbone's ${known} token embeddings.`,
        where,
        hint: 'Choose an unused id, or give the backbone a larger vocabSize and new rows for it.',
      });
  const [image, video] = tokens;
  if (video && (image!.id === video.id || image!.placeholder === video.placeholder))
    throw new ConfigError({
      message: `Pictures and videos have one token: ${image!.id} '${image!.placeholder}' and ${video.id} '${video.placeholder}'.`,
      where,
      hint: 'Give each its own id and placeholder.',
    });
}

const promptFields: ConfigFields<PromptRule> = {
  chatTemplate: { optional: 'text' },
  form: { optional: { section: { before: 'text', after: 'text', mostImages: 'count' } } },
  insertsFirstToken: { optional: 'flag' },
  backdrop: { optional: { oneOf: ['white'] } },
};

const crossFields: ConfigFields<CrossComposition> = {
  marks: { optional: { oneOf: ['picture', 'tile'] } },
  tags: { optional: { section: { place: { oneOf: ['text', 'keys'] }, ids: { list: { list: 'amount' } } } } },
};

/** @throws ConfigError naming a field of the rules of prompts or of cross-attention that is not known */
export function checkRules({
  prompt = {},
  cross = {},
}: {
  readonly prompt?: PromptRule;
  readonly cross?: CrossComposition | undefined;
}): void {
  checkConfig({ id: 'prompt', fields: promptFields }, prompt);
  checkConfig({ id: 'cross', fields: crossFields }, cross);
}

const trialSide = 64;

/**
 * Prepares a small grey picture, so that a processor and an encoder that do not fit are found before the first question.
 *
 * @throws ConfigError naming both, if the processor fails or gives other tensors than the encoder takes
 */
export function tryPicture({ processor }: ImageSense, encoder: VisionEncoder, where: string): void {
  const picture = {
    width: trialSide,
    height: trialSide,
    channels: 3,
    data: new Uint8Array(3 * trialSide * trialSide).fill(127),
  } as const;
  const misfit = (message: string, cause?: unknown): ConfigError =>
    new ConfigError({
      message: `${processor.id} does not prepare pictures for ${encoder.id}: ${message}`,
      where,
      hint: 'Compose a processor with the encoder that it was made for.',
      cause,
    });
  try {
    const { inputs } = processor.process([picture]);
    if (encoder.prepare) {
      if (encoder.prepare(inputs).length === 0)
        throw misfit(`it gives ${Object.keys(inputs).join(', ')}, of which nothing is the encoder's.`);
      return;
    }
    const missing = Object.keys(encoder.inputs).filter((name) => !Object.hasOwn(inputs, name));
    if (missing.length > 0)
      throw misfit(
        `it gives ${Object.keys(inputs).join(', ')}, but the encoder takes ${missing.join(', ')} too.`,
      );
  } catch (error) {
    // What a picture of this size or shape cannot be is no fault of the pair.
    if (error instanceof InputError && !encoder.prepare) return;
    if (isWeftError(error) && error instanceof ConfigError) throw error;
    throw misfit((error as Error).message, error);
  }
}
