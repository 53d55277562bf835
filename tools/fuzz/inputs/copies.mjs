// Fixtures to change: copies, since a checkpoint's links may not lead out of its folder.
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const fixtures = fileURLToPath(new URL('../../../packages/models/__fixtures__', import.meta.url));

/** A folder that goes away with the process. */
export function temporaryFolder(name) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), `weft-${name}-`)));
  process.on('exit', () => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** Gives a copy of a fixture without golden outputs and pictures, made when it is first asked for. */
export function copies(root) {
  const made = new Map();
  return (model) => {
    if (!made.has(model)) {
      const folder = join(root, model);
      const filter = (path) => !/^(golden|prompt|image|video)/.test(basename(path)) || path.endsWith(model);
      cpSync(join(fixtures, model), folder, { recursive: true, filter });
      made.set(model, folder);
    }
    return made.get(model);
  };
}

/** Runs with another text in a file, and puts the old one back. */
export async function withFile(path, text, run) {
  const before = readFileSync(path);
  writeFileSync(path, text);
  try {
    return await run();
  } finally {
    writeFileSync(path, before);
  }
}
