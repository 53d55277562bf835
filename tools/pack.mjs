// Packs every package as npm would get it.
import { join } from 'node:path';
import { foldersOf, readManifest } from './manifest.mjs';
import { pnpm } from './pnpm.mjs';

/** Tarballs of all packages in a folder: their paths by the published name. */
export function packAll(folder) {
  const code = pnpm(['-r', '--filter', './packages/*', 'pack', '--pack-destination', folder], {
    stdio: ['ignore', 'ignore', 2],
  });
  if (code !== 0) throw new Error('The packages cannot be packed; build them first.');
  return tarballsIn(folder);
}

/** Paths of the tarballs that `packAll` left in a folder, by the published name. */
export function tarballsIn(folder) {
  return new Map(
    foldersOf('packages').map((place) => {
      const { name, version } = readManifest(place.folder);
      return [name, join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`)];
    }),
  );
}
