// Indexes of sharded checkpoints: paths that lead elsewhere, links, values of other types, text that is cut off. Whatever an
// index says, no file outside of its folder is read, and what is refused is refused by an error of Weft.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { openCheckpoint, writeSafetensors } from '../../packages/weights/dist/index.js';
import { random } from './random.mjs';

export const name = 'indexes';
export const count = 3000;

const odd = [
  ...[
    null,
    -1,
    0,
    1.5,
    true,
    [],
    {},
    '',
    '..',
    '.',
    '__proto__',
    '../out.safetensors',
    '/dev/null',
    '/etc/x.safetensors',
  ],
  ...[
    'one.safetensors',
    'two.safetensors',
    'ONE.safetensors',
    './one.safetensors',
    'sub/one.safetensors',
    'sub\\one.safetensors',
  ],
  ...[
    'one.safetensors\0',
    'C:one.safetensors',
    'link.safetensors',
    'dangling.safetensors',
    'folder.safetensors',
    'pipe.safetensors',
  ],
  ...[
    'one.bin',
    `${'x'.repeat(5000)}.safetensors`,
    '\ud800.safetensors',
    '%2e%2e%2fout.safetensors',
    'one.safetensors ',
  ],
  ...['..safetensors', 'model.safetensors.index.json', 'inside.safetensors'],
];
const shown = (value) => (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 40);

/** Case i: what it is, and the text or bytes of the index. */
export function make(i) {
  const r = random(i * 99991 + 1);
  const map = { a: 'one.safetensors', b: 'one.safetensors', c: 'two.safetensors' };
  const index = { metadata: { total_size: 3 }, weight_map: map };
  const edits = [
    () => ({ what: 'valid', content: JSON.stringify(index) }),
    () => {
      const [key, value] = [r.pick(['a', 'b', 'c', 'd', '__proto__', 'constructor', '']), r.pick(odd)];
      Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
      return { what: `${key} to ${shown(value)}`, content: JSON.stringify(index) };
    },
    () => {
      const value = r.pick([...odd, undefined]);
      return {
        what: `weight_map ${shown(value ?? 'left out')}`,
        content: JSON.stringify({ ...index, weight_map: value }),
      };
    },
    () => ({ what: 'metadata', content: JSON.stringify({ ...index, metadata: r.pick(odd) }) }),
    () => {
      const value = r.pick(odd);
      const weights = Object.fromEntries(Object.keys(map).map((key) => [key, value]));
      return { what: `all to ${shown(value)}`, content: JSON.stringify({ weight_map: weights }) };
    },
    () => ({ what: 'cut off', content: JSON.stringify(index).slice(0, r.int(100)) }),
    () => {
      const content = Buffer.from(JSON.stringify(index));
      for (let k = 1 + r.int(4); k > 0; k--) content[r.int(content.length)] = r.int(256);
      return { what: 'other bytes', content };
    },
    () => ({
      what: 'a name twice',
      content: `{"weight_map":{"a":"one.safetensors","${r.pick(['a', '\\u0061'])}":"two.safetensors"}}`,
    }),
    () => {
      const depth = r.pick([1000, 100_000]);
      const deep = '['.repeat(depth) + ']'.repeat(depth);
      const forms = [`{"weight_map":${deep}}`, `{"weight_map":{"a":${deep}}}`];
      return {
        what: `depth ${depth}`,
        content: r.pick([...forms, `${'{"weight_map":'.repeat(depth)}1${'}'.repeat(depth)}`]),
      };
    },
    () => ({
      what: 'something else',
      content: r.pick([
        'null',
        '[]',
        '1',
        '""',
        '',
        `\ufeff${JSON.stringify(index)}`,
        'version https://git-lfs.github.com/spec/v1\n',
      ]),
    }),
  ];
  return r.pick(edits)();
}

const tensor = (key) => ({ name: key, dtype: 'U8', shape: [1], data: Uint8Array.of(7) });

export async function open() {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'weft-indexes-')));
  process.on('exit', () => rmSync(root, { recursive: true, force: true }));
  const folder = join(root, 'model');
  for (const path of [folder, join(folder, 'sub'), join(folder, 'folder.safetensors')]) mkdirSync(path);
  await writeSafetensors(join(folder, 'one.safetensors'), [tensor('a'), tensor('b')]);
  await writeSafetensors(join(folder, 'two.safetensors'), [tensor('c')]);
  await writeSafetensors(join(folder, 'sub', 'one.safetensors'), [tensor('a')]);
  await writeSafetensors(join(root, 'out.safetensors'), ['a', 'b', 'c'].map(tensor));
  symlinkSync(join(root, 'out.safetensors'), join(folder, 'link.safetensors'));
  symlinkSync('one.safetensors', join(folder, 'inside.safetensors'));
  symlinkSync('nowhere', join(folder, 'dangling.safetensors'));
  // A pipe would wait for its other end. Windows has none.
  if (process.platform !== 'win32') execFileSync('mkfifo', [join(folder, 'pipe.safetensors')]);
  return folder;
}

export async function run(i, { say, context: folder }) {
  const { what, content } = make(i);
  say(what);
  writeFileSync(join(folder, 'model.safetensors.index.json'), content);
  const checkpoint = await openCheckpoint(folder);
  try {
    if (checkpoint.files.some((file) => !file.startsWith(`${folder}${sep}`)))
      return { kind: 'wrong', message: 'reads outside of the folder' };
    for (const key of checkpoint.tensors.keys()) await checkpoint.read(key);
  } finally {
    await checkpoint.close();
  }
}
