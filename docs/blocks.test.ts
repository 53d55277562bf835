import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodeJpeg, encodePng } from '@weft/image';
import { paint, Random, randomScene, tinyFolder } from '@weft/tiny';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf, pages, root, type Block } from './blocks.js';

const run = promisify(execFile);
const blocks = pages().flatMap(blocksOf);
const programs = blocks.filter(({ language, excerptOf }) => language === 'ts' && excerptOf === undefined);
const nameOf = ({ page, line, packageName }: Block): string =>
  packageName ?? `${page.replace(/\W+/g, '-')}-${line}`;

const written = join(root, 'docs', 'dist', 'blocks');
const installed = join(root, 'docs', 'dist', 'node_modules');
let typeErrors = '';
/** Where programs run: the folders of the repository, a picture, and a checkpoint to read. */
let desk: string;

beforeAll(async () => {
  await rm(join(root, 'docs', 'dist'), { recursive: true, force: true });
  await mkdir(written, { recursive: true });
  for (const block of programs)
    await writeFile(join(written, `${nameOf(block)}.ts`), `${block.text}\nexport {};\n`);
  for (const { packageName } of programs) if (packageName) await install(packageName);
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  typeErrors = await run(tsc, ['-p', join(root, 'docs')], { cwd: root }).then(
    () => '',
    (error: { readonly stdout: string }) => error.stdout,
  );
  desk = await mkdtemp(join(tmpdir(), 'weft-docs-'));
  const picture = paint(randomScene(new Random(1)), 256);
  await writeFile(join(desk, 'cat.jpg'), await encodeJpeg(picture, 90));
  await writeFile(join(desk, 'picture.png'), await encodePng(picture));
  await cp(tinyFolder(), join(desk, 'checkpoint'), { recursive: true });
  for (const folder of ['packages', 'examples']) await symlink(join(root, folder), join(desk, folder));
  await symlink(installed, join(desk, 'node_modules'));
});

/** Makes a block's program a package that the other programs, and the folder in which they run, find as an installed one. */
async function install(name: string): Promise<void> {
  const folder = join(installed, name);
  await mkdir(folder, { recursive: true });
  const manifest = { name, version: '1.0.0', type: 'module', exports: './index.js' };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  await writeFile(join(folder, 'index.js'), `export * from '../../run/${name}.js';\n`);
  await writeFile(join(folder, 'index.d.ts'), `export * from '../../blocks/${name}.js';\n`);
}

afterAll(() => rm(desk, { recursive: true, force: true }));

describe('a page of the documentation', () => {
  it.each(pages())('never runs the package `weft`, which is not ours: %s', async (page) => {
    expect(await readFile(join(root, page), 'utf8')).not.toMatch(
      /npx (--?\w+ )*weft(?!-)|npm (i|install) weft(?!-)/,
    );
  });
});

describe('a block of the documentation', () => {
  it.each(programs.map((block) => [`${block.page}:${block.line}`, block] as const))(
    'compiles and runs: %s',
    async (_, block) => {
      const name = nameOf(block);
      expect(typeErrors.split('\n').filter((line) => line.includes(`${name}.ts`))).toEqual([]);
      if (block.isCompiledOnly) return;
      const { stdout } = await run(process.execPath, [join(root, 'docs', 'dist', 'run', `${name}.js`)], {
        cwd: desk,
      });
      if (block.output !== undefined) expect(stdout.trimEnd()).toBe(block.output.trimEnd());
    },
  );

  const weft = 'npm run -s weft -- ';
  const commands = blocks.filter(
    ({ language, text }) => language === 'sh' && text.split('\n').every((line) => line.startsWith(weft)),
  );
  it.each(commands.map((block) => [`${block.page}:${block.line}`, block] as const))(
    'succeeds as a command: %s',
    async (_, block) => {
      const script = block.text.replaceAll(
        weft,
        `"${process.execPath}" "${join(root, 'packages/cli/dist/main.js')}" `,
      );
      const { stdout } = await run('sh', ['-e', '-c', script], { cwd: desk });
      if (block.output !== undefined) expect(stdout.trimEnd()).toBe(block.output.trimEnd());
    },
  );

  const excerpts = blocks.filter(({ excerptOf }) => excerptOf !== undefined);
  it.each(excerpts.map((block) => [`${block.page}:${block.line}`, block] as const))(
    'stands in the source: %s',
    async (_, block) => {
      const squeeze = (text: string): string => text.replace(/\s+/g, '').replace(/,(?=[)\]}])/g, '');
      expect(squeeze(await readFile(join(root, block.excerptOf!), 'utf8'))).toContain(squeeze(block.text));
    },
  );
});
