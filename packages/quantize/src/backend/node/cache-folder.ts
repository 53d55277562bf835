import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where weights in another form are kept: `WEFT_CACHE`, else `weft` in the user's folder of caches. */
export function cacheFolder(): string {
  const { WEFT_CACHE: own, XDG_CACHE_HOME: caches, LOCALAPPDATA: local } = process.env;
  if (own) return resolve(own);
  if (caches) return join(caches, 'weft');
  if (process.platform === 'win32' && local) return join(local, 'weft');
  return join(homedir(), '.cache', 'weft');
}
