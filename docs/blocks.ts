import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** A fenced block of a page. */
export interface Block {
  /** Page, relative to the repository. */
  readonly page: string;
  /** Line of the opening fence. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** File that an `<!-- excerpt: PATH -->` above the block names. */
  readonly excerptOf: string | undefined;
  /** Whether an `<!-- compiled, not run: REASON -->` stands above the block. */
  readonly isCompiledOnly: boolean;
  /** Package whose source the block is, by a `<!-- package: NAME -->` above: blocks of other pages may import it. */
  readonly packageName: string | undefined;
  /** Contents of a `text` block that follows at once: what the program prints. */
  readonly output: string | undefined;
}

/** Pages whose blocks must be true. */
export function pages(): string[] {
  const below = (folder: string): string[] =>
    readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .filter((path) => !/node_modules|\/dist\//.test(path));
  const readmes = ['packages', 'examples'].flatMap((kind) =>
    readdirSync(join(root, kind))
      .map((name) => join(kind, name, 'README.md'))
      .filter((path) => exists(path)),
  );
  return ['README.md', 'CONTRIBUTING.md', ...below('docs'), ...readmes].filter((path) => exists(path)).sort();
}

const exists = (path: string): boolean => {
  try {
    readFileSync(join(root, path));
    return true;
  } catch {
    return false;
  }
};

/** The fenced blocks of a page in order. */
export function blocksOf(page: string): Block[] {
  const lines = readFileSync(join(root, page), 'utf8').split('\n');
  const blocks: (Omit<Block, 'output'> & { readonly end: number })[] = [];
  for (let i = 0; i < lines.length; i++) {
    const language = /^```(\w+)/.exec(lines[i]!)?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf('```', i + 1);
    const above = lines[i - 1] ?? '';
    const excerptOf = /<!-- excerpt: (\S+) -->/.exec(above)?.[1];
    const isCompiledOnly = above.startsWith('<!-- compiled, not run: ');
    const packageName = /<!-- package: (\S+) -->/.exec(above)?.[1];
    blocks.push({
      page,
      line: i + 1,
      language,
      text: lines.slice(i + 1, end).join('\n'),
      excerptOf,
      isCompiledOnly,
      packageName,
      end,
    });
    i = end;
  }
  return blocks.map(({ end, ...block }, i) => {
    const next = blocks[i + 1];
    const follows =
      next?.language === 'text' && lines.slice(end + 1, next.line - 1).every((line) => line.trim() === '');
    return { ...block, output: follows ? next.text : undefined };
  });
}

/** Rows of the page's table of presets: the name in backticks first, parameters last. */
export function presetRows(page: string): { readonly name: string; readonly parameters: number }[] {
  const rows = readFileSync(join(root, page), 'utf8').matchAll(/^\| `([\w.-]+)` \|.*\| ([\d,]+) \|$/gm);
  return [...rows].map(([, name, count]) => ({
    name: name!,
    parameters: Number(count!.replaceAll(',', '')),
  }));
}
