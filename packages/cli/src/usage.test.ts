import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { closeSync, existsSync, openSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runHere as weft } from '../test/run-here.js';
import { fixture } from '../test/weft.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weft-usage-'));
});
afterAll(() => rm(root, { recursive: true }));

const processors = Math.max(cpus().length, availableParallelism());

describe('a wrong command line', () => {
  it.each([
    [['eval', '--help']],
    [['--help', 'eval']],
    [['eval', '-h', 'more']],
    [['help', 'eval']],
    [['eval']],
  ])('names the command that does not exist: %j', async (args) => {
    expect(await weft(args)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^error: unknown command 'eval'[^]*\(weft --help says more\)/),
    });
  });

  it.each([[['--help']], [['help']], [['help', 'ask']], [['ask', '--help']], [['-h']]])(
    'is not what asks for help: %j',
    async (args) => {
      const { code, stdout } = await weft(args);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^Usage: weft/);
    },
  );

  it.each([
    [
      ['ask'],
      /missing required argument 'input'\nUsage: weft ask \[options\] IMAGE\.\.\. "QUESTION"\n\(weft ask --help/,
    ],
    [
      ['train'],
      /missing required argument 'config'\nUsage: weft train \[options\] <config>\n\(weft train --help/,
    ],
    [
      ['quantize', 'x'],
      /required option '--dtype <form>' not specified\nUsage: weft quantize \[options\] --dtype FORM FOLDER\n/,
    ],
    [
      ['verify', '--nope', 'x'],
      /unknown option '--nope'\nUsage: weft verify \[options\] <folder\.\.\.>\n\(weft verify --help/,
    ],
    [
      ['inspect', 'a', 'b'],
      /too many arguments[^]*Usage: weft inspect \[options\] <model>\n\(weft inspect --help/,
    ],
    [
      ['compare', '--image', '3'],
      /Expected a size[^]*Usage: weft compare \[options\]\n\(weft compare --help/,
    ],
  ])('shows how the command is used: %j', async (args, message) => {
    const { code, stderr } = await weft(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it.each([String(processors + 1), '9999', '0', '1.5', '-1', ''])('has %j threads', async (threads) => {
    for (const command of ['ask', 'chat']) {
      const { code, stderr } = await weft([command, 'x', `--threads=${threads}`]);
      expect(code).toBe(2);
      expect(stderr).toContain(
        `Expected a whole number from 1 to ${processors}, the processors of this machine`,
      );
    }
  });
});

describe('a failure with --json', () => {
  it.each<[readonly string[], object]>([
    [['ask', 'none.png', 'What?', '--json'], { code: 'WEFT_INPUT', hint: expect.any(String) as string }],
    [
      ['ask', 'What?', '--json', '-m', '/nowhere'],
      { code: 'WEFT_CONFIG', message: 'There is no such folder.', where: '/nowhere' },
    ],
    [
      ['inspect', 'elephant', '--json'],
      { code: 'WEFT_CONFIG', message: expect.stringMatching(/'elephant' is neither/) as string },
    ],
    [['ask', '', '--json'], { code: 'WEFT_USAGE', message: 'The question is empty.' }],
    [['ask', '--json'], { code: 'WEFT_USAGE', message: "missing required argument 'input'" }],
    [['inspect', 'tiny', '--json', '--image', 'x'], { code: 'WEFT_USAGE' }],
    [['compare', '--json', '--encoder', 'x'], { code: 'WEFT_CONFIG' }],
  ])('is one JSON object in the last line of standard error: %j', async (args, error) => {
    const { code, stdout, stderr } = await weft(args);
    expect(code).toBeGreaterThan(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error: /);
    expect(JSON.parse(stderr.trimEnd().split('\n').at(-1)!)).toMatchObject({ error });
  });

  it('of one folder is told in the place of its report', async () => {
    const good = fixture('text-qwen2-tied');
    const { code, stdout } = await weft(['verify', '/nowhere', good, '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject([
      { folder: '/nowhere', error: expect.any(String) as string, code: 'WEFT_CONFIG' },
      { folder: good, checks: expect.any(Array) as unknown[] },
    ]);
  });

  it('is not printed where --json is an argument', async () => {
    expect((await weft(['inspect', '--', '--json'])).stderr).not.toMatch(/^\{/m);
  });
});

describe('errors of the file system', () => {
  it('are told in words where something is written or read', async () => {
    await writeFile(join(root, 'file'), 'x');
    const stage = { name: 'a', trainable: ['connector'], steps: 1, batchSize: 1, learningRate: 1e-3 };
    const config = {
      model: fixture('llava-siglip-qwen2'),
      data: { file: 's.jsonl' },
      stages: [stage],
      threads: 1,
    };
    const turns = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ];
    await writeFile(join(root, 's.jsonl'), JSON.stringify({ messages: turns }));
    await writeFile(join(root, 't.json'), JSON.stringify({ ...config, out: 'file/out' }));
    await writeFile(join(root, 'nul.json'), JSON.stringify({ ...config, out: 'a\0b' }));
    for (const [args, message] of [
      [
        ['train', join(root, 't.json')],
        /error: A file stands where a folder must be \(ENOTDIR\)\.\n {2}at .*file\/out/,
      ],
      [['train', join(root, 'nul.json')], /NUL character/],
      [['train', root], /configuration cannot be read: A folder stands where a file must be/],
      [['train', join(root, 'n'.repeat(300))], /too long \(ENAMETOOLONG\)/],
      [['compare', '--svg', join(root, 'file', 'a.svg')], /error: A file stands where a folder must be/],
      [['compare', '--svg', root], /error: /],
      [
        ['ask', 'What?', '-m', join(root, 'file')],
        /error: This is a file, expected the folder of a checkpoint/,
      ],
    ] as const) {
      const { code, stderr } = await weft(args);
      expect(code).toBe(1);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/not an error that weft expected/);
    }
  });

  it.runIf(existsSync('/dev/full'))('are told where standard output has no room', () => {
    const full = openSync('/dev/full', 'w');
    const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, [main, '--version'], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /^error: The disk is full \(ENOSPC\)\.\n {2}at standard output/,
      ) as string,
    });
  });
});

describe('images outside of their folder', () => {
  it('are taken by a training that allows them, and do not make it another run', async () => {
    const base = fixture('llava-siglip-qwen2');
    const stage = { name: 'a', trainable: ['connector'], steps: 1, batchSize: 1, learningRate: 1e-3 };
    const write = (data: object) =>
      writeFile(
        join(root, 'outside.json'),
        JSON.stringify({ model: base, data, stages: [stage], out: 'outside', threads: 1 }),
      );
    const messages = [
      { role: 'user', content: '<image>a' },
      { role: 'assistant', content: 'b' },
    ];
    await writeFile(join(root, 'o.jsonl'), JSON.stringify({ messages, images: [join(base, 'image-0.png')] }));
    await write({ file: 'o.jsonl' });
    const train = (...flags: string[]) => weft(['train', join(root, 'outside.json'), ...flags]);
    expect(await train()).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/lies outside[^]*o\.jsonl:1[^]*--allow-outside/) as string,
    });
    expect(await train('--allow-outside')).toMatchObject({ code: 0 });
    await write({ file: 'o.jsonl', allowOutside: true });
    expect(await train()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/run was over already/) as string,
    });
    await write({ file: 'o.jsonl', allowOutside: 1 });
    expect((await train()).stderr).toMatch(/data\.allowOutside is 1, expected true or false/);
    const identity = join(root, 'outside', 'train.json');
    await writeFile(identity, (await readFile(identity, 'utf8')).replace('o.jsonl', 'other.jsonl'));
    await write({ file: 'o.jsonl' });
    expect((await train('--allow-outside')).stderr).toMatch(
      /data\.file was "other\.jsonl" and is "o\.jsonl"/,
    );
    await writeFile(identity, '{');
    expect((await train('--allow-outside')).stderr).toMatch(/What run the folder holds cannot be read/);
  });
});
