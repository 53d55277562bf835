import { fileURLToPath } from 'node:url';

/** Folder of a tiny checkpoint made by the reference implementation. */
export const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../models/__fixtures__/${name}`, import.meta.url));

/** Names of all tiny checkpoints that have golden outputs. */
export const fixtureNames = [
  'idefics3-batch',
  'idefics3-hub',
  'idefics3-split',
  'llava-batch',
  'llava-clip',
  'llava-hub-names',
  'llava-sharded',
  'llava-siglip-qwen2',
  'pixtral-hub',
  'pixtral-native',
  'qwen2-vl-two',
  'qwen2.5-vl-hub',
  'qwen2.5-vl-video',
  'smolvlm-many',
  'smolvlm-stretch',
  'text-bf16',
  'text-llama-bias',
  'text-llama3',
  'text-mistral-window',
  'text-olmo',
  'text-olmo2',
  'text-olmoe',
  'text-olmoe-merged',
  'text-persimmon',
  'text-phi',
  'text-phi3',
  'text-qwen2-tied',
  'text-qwen2-window',
] as const;
