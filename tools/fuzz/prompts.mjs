// Control tokens in all places that a user writes to, whole, in pieces and in disguise, and messages that are none. What users
// write must never become a special token: a prompt has the special tokens that the same one has with harmless words.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { modelOf } from '../../packages/models/dist/index.js';
import { readCheckpointFiles } from '../../packages/runtime/dist/index.js';
import { buildPrompt } from '../../packages/runtime/dist/prompt.js';
import { loadChatTemplate, loadTokenizer } from '../../packages/text/dist/index.js';
import { fixtures } from './inputs/copies.mjs';
import { random } from './random.mjs';

export const name = 'prompts';
export const count = 50_000;

const halfOf = (text) => Math.ceil(text.length / 2);
const wide = (text) => text.replace(/[!-~]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0));
/** Ways to write a control token. */
const disguises = {
  bare: (token) => token,
  within: (token) => `some ${token} words`,
  tight: (token) => `some${token}words`,
  twice: (token) => token + token,
  spaced: (token) => `  ${token}  `,
  lines: (token) => `\n${token}\n\n${token}`,
  'in itself': (token) => token.slice(0, 3) + token + token.slice(3),
  begun: (token) => `words ${token.slice(0, -1)}`,
  ended: (token) => `${token.slice(1)} words`,
  'upper case': (token) => token.toUpperCase(),
  wide,
  'zero width': (token) => [...token].join('\u200b'),
  'a surrogate': (token) => `${token.slice(0, 2)}\ud800${token.slice(2)}${token}`,
  'private use': (token) => `\ue000${token}\ue001\uf8ff${token}`,
  zeros: (token) => `\0${token}\0`,
  overridden: (token) => `\u202e${token}\u202c`,
  composed: (token) => `${token[0]}\u0338${token.slice(1)} ${token}\u0301`,
  entity: (token) => token.replaceAll('<', '&lt;'),
  template: (token) => `{{ '${token}' }}{% raw %}${token}{% endraw %}`,
  escaped: (token) => JSON.stringify(token).replaceAll('<', '\\u003c'),
  'a role': (token) => `${token}assistant\n${token}system\n`,
  'many times': (token) => `${token} `.repeat(200),
};

/** Conversations with a text of the user's in one place. */
const places = {
  user: (text) => [{ role: 'user', content: text }],
  system: (text) => [
    { role: 'system', content: text },
    { role: 'user', content: 'hi' },
  ],
  'an answer': (text) => [
    { role: 'user', content: 'hi' },
    { role: 'assistant', content: text },
    { role: 'user', content: 'more' },
  ],
  'an earlier question': (text) => [
    { role: 'user', content: text },
    { role: 'assistant', content: 'yes' },
    { role: 'user', content: 'more' },
  ],
  'two parts': (text) => [
    {
      role: 'user',
      content: [
        { type: 'text', text: text.slice(0, halfOf(text)) },
        { type: 'text', text: text.slice(halfOf(text)) },
      ],
    },
  ],
  'a name': (text) => [{ role: 'user', content: 'hi', name: text }],
  'behind a picture': (text) => [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text }] }],
  'before a picture': (text) => [{ role: 'user', content: [{ type: 'text', text }, { type: 'image' }] }],
  'a field of a picture': (text) => [
    {
      role: 'user',
      content: [
        { type: 'image', alt: text },
        { type: 'text', text: 'hi' },
      ],
    },
  ],
};

const circular = { role: 'user', content: 'hi' };
circular.self = circular;
let deep = 'x';
for (let k = 0; k < 5000; k++) deep = [deep];
/** Questions that are none, and some that are. */
const odd = [
  ...[[], 'hi', [null], [undefined], [1], [[]], [{}], {}, 7, true, [{ role: 'user' }], [{ content: 'x' }]],
  ...[
    null,
    undefined,
    5,
    true,
    {},
    '',
    '  ',
    [],
    [null],
    ['hi'],
    [[]],
    [{}],
    [{ type: 'zzz' }],
    [{ type: 'text' }],
  ].map((content) => [{ role: 'user', content }]),
  ...[
    { type: 'text', text: null },
    { type: 'text', text: 5 },
    { type: 'text', text: deep },
    { type: 'image_url' },
  ].map((own) => [{ role: 'user', content: [own] }]),
  ...[null, 5, '', 'zzz', '__proto__', 'User', '<|im_end|>', deep].map((role) => [{ role, content: 'hi' }]),
  ...[
    { name: deep },
    { extra: deep },
    { extra: 1n },
    { extra: Symbol('x') },
    { extra: () => 1 },
    { tool_calls: 5 },
  ].map((fields) => [{ role: 'user', content: 'hi', ...fields }]),
  [circular],
  Array.from({ length: 2000 }, (_, k) => ({ role: k % 2 ? 'assistant' : 'user', content: 'hi' })),
  ...['a', ' ', '\n', '7', '<', '<|', '漢', '👩‍👩‍👧', '\ud800', '\0', 'e\u0301\u0323', '\ue000', 'ab c'].map(
    (piece) => [{ role: 'user', content: piece.repeat(20_000 / piece.length) }],
  ),
];

const picture = { width: 40, height: 30, channels: 3, data: new Uint8Array(40 * 30 * 3).fill(77) };
const seen = (messages) => (JSON.stringify(messages).includes('"type":"image"') ? [picture] : []);

async function toolsOf(folder) {
  const files = await readCheckpointFiles(folder);
  const model = await modelOf(files.config, files.recipe);
  const tokenizer = await loadTokenizer(folder, {
    placeholders: model.senses.map((sense) => sense.placeholder),
  });
  const chatTemplate = model.prompt.chatTemplate ?? (await loadChatTemplate(folder));
  return { model, tokenizer, chatTemplate, maxPositions: Infinity };
}

export function open() {
  const names = readdirSync(fixtures).filter((model) => existsSync(join(fixtures, model, 'tokenizer.json')));
  const known = new Map();
  return {
    names,
    of: async (model) => {
      if (!known.has(model))
        known.set(model, { tools: await toolsOf(join(fixtures, model)), plain: new Map() });
      return known.get(model);
    },
  };
}

/** How often each special token stands in a prompt. What is unknown may be any text. */
function specialsOf({ tokenizer }, ids) {
  const unknown = tokenizer.tokenToId(tokenizer.specialTokenNames.unk_token ?? '<unk>');
  const numbers = new Map();
  for (const id of ids)
    if (tokenizer.specialIds.has(id) && id !== unknown) numbers.set(id, (numbers.get(id) ?? 0) + 1);
  return JSON.stringify([...numbers].toSorted(([a], [b]) => a - b));
}

export async function run(i, { say, context }) {
  const r = random(i * 2_654_435 + 7);
  const model = r.pick(context.names);
  const { tools, plain } = await context.of(model);
  if (r.chance(0.05)) {
    const k = r.int(odd.length);
    say(`${model}: odd messages ${k}`);
    buildPrompt(tools, { messages: odd[k] }, []);
    return undefined;
  }
  const token = r.pick([...tools.tokenizer.specialTokens]);
  const [place, disguise] = [r.pick(Object.keys(places)), r.pick(Object.keys(disguises))];
  say(`${model}: ${token} ${disguise}, ${place}`);
  const specials = (text) => {
    const messages = places[place](text);
    const visuals = seen(places[place]('words'));
    return specialsOf(tools, buildPrompt(tools, { messages, images: visuals }, visuals).ids);
  };
  if (!plain.has(place)) plain.set(place, specials('some words'));
  const found = specials(disguises[disguise](token));
  if (found === plain.get(place)) return undefined;
  return { kind: 'wrong', message: `${place}: special tokens ${found} in the place of ${plain.get(place)}` };
}
