import { files } from '#backend';

/** A file of a checkpoint folder whose links lead out of the folder. */
export interface OutsideFile {
  /** The file that the link leads to. */
  readonly target: string;
  readonly hint: string;
}

/**
 * Where a file of a folder leads, if a link leads out of the folder. A folder of the Hugging Face cache,
 * `…/snapshots/<revision>`, has its files in the `blobs` beside `snapshots`: those are its own.
 *
 * @returns `undefined` for a file that lies in its folder, or in the blobs that belong to it
 * @throws the error of the place if the file does not exist
 */
export async function outsideFile(folder: string, name: string): Promise<OutsideFile | undefined> {
  const [root, target] = await Promise.all([
    files.realpath(folder),
    files.realpath(files.join(folder, name)),
  ]);
  if (files.relative(root, target) !== undefined) return undefined;
  for (let at = root; files.dirname(at) !== at; at = files.dirname(at)) {
    if (files.basename(files.dirname(at)) !== 'snapshots') continue;
    const blobs = files.join(files.dirname(files.dirname(at)), 'blobs');
    if (files.relative(blobs, target) !== undefined) return undefined;
  }
  return {
    target,
    hint: 'Links out of a checkpoint folder are followed only within a Hugging Face cache. If you trust the link, put a copy of its file in its place.',
  };
}
