import type { Json } from '@weft/spec';
import { words } from './words.js';

const special = ['<pad>', '<unk>', '<image>', '<user>', '<assistant>', '<end>'] as const;

/** Ids of the special tokens. */
export const tinyTokens = () => ({ pad: 0, unknown: 1, image: 2, user: 3, assistant: 4, end: 5 }) as const;

/**
 * All tokens in order of their ids: special ones, box marks, the hundredths of the canvas, digits, signs, words. Words and
 * hundredths carry the space before them; the digits of a printed number do not.
 */
export const vocabulary = (): string[] => [
  ...special,
  ' <box>',
  '</box>',
  ...Array.from({ length: 101 }, (_, i) => ` ${i}`),
  ...Array.from({ length: 10 }, (_, i) => `${i}`),
  ...'?.,!',
  ...words.map((word) => ` ${word}`),
];

/**
 * `tokenizer.json` of the embedded model: lower case, whole words, coordinates and single digits. Text that is
 * decoded stands exactly as the world writes it.
 */
export function tinyTokenizer(): Json {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Lowercase' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Strip', strip_left: true, strip_right: true },
        { type: 'Prepend', prepend: ' ' },
        { type: 'Replace', pattern: { String: '<box>' }, content: '<box> ' },
      ],
    },
    pre_tokenizer: {
      type: 'Split',
      pattern: { Regex: ' ?(?:100|[0-9]{1,2})(?= [0-9]|</box>)| ?[0-9]| ?</?box>| ?[a-z]+| ?[^\\s]' },
      behavior: 'Removed',
      invert: true,
    },
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Fuse' },
        { type: 'Replace', pattern: { String: '<box> ' }, content: '<box>' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'WordLevel',
      vocab: Object.fromEntries(vocabulary().map((token, id) => [token, id])),
      unk_token: '<unk>',
    },
  };
}

/** The chat in the checkpoint's own words: pictures first, then `<user>` question `<assistant>` answer `<end>`. */
export const chatTemplate =
  "{% for message in messages %}{% if message['role'] == 'user' %}{% if message['content'] is string %}{{ '<user>' + message['content'] + '<assistant>' }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}{{ '<user>' }}{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{{ '<assistant>' }}{% endif %}{% elif message['role'] == 'assistant' %}{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}{{ '<end>' }}{% endif %}{% endfor %}";

/** `tokenizer_config.json`. */
export const tinyTokenizerConfig = (): Json => ({
  tokenizer_class: 'PreTrainedTokenizerFast',
  pad_token: '<pad>',
  unk_token: '<unk>',
  eos_token: '<end>',
  extra_special_tokens: { image_token: '<image>' },
  clean_up_tokenization_spaces: false,
  model_max_length: 1024,
  chat_template: chatTemplate,
});
