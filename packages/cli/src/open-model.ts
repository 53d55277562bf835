import type { LoadedModel } from '@weft/runtime';
import { givenFolder } from './given-folder.js';
import type { GenerationFlags } from './options.js';
import { reportNotices } from './failure.js';
import { statusLine } from './terminal.js';

/**
 * Loads the model that a command was asked to use, the embedded one unless given, and tells on stderr what its files say
 * that is not applied.
 */
export async function openModel(
  { model, threads, dtype }: Pick<GenerationFlags, 'model' | 'threads' | 'dtype'>,
  signal: AbortSignal,
): Promise<LoadedModel> {
  const folder = await givenFolder(model ?? 'tiny');
  const status = statusLine(process.stderr);
  status.show(`loading ${folder}`);
  let loaded: LoadedModel;
  try {
    const { load } = await import('@weft/runtime');
    loaded = await load(folder, { signal, threads, dtype });
  } finally {
    status.clear();
  }
  reportNotices(loaded.notices, process.stderr);
  return loaded;
}
