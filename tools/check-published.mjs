// Fails when a package would not be right on npm: packs every package as it would be published, looks into the tarball,
// and asks publint and Are The Types Wrong (ES modules only). Build first. `--keep FOLDER` leaves the tarballs there.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { packAll } from './pack.mjs';

const kept = process.argv.indexOf('--keep');
const folder = kept < 0 ? mkdtempSync(join(tmpdir(), 'weft-packages-')) : resolve(process.argv[kept + 1]);
const problems = [];
let count = 0;

try {
  const tarballs = packAll(folder);
  count = tarballs.size;
  for (const [name, tarball] of tarballs) await check(name, readFileSync(tarball));
} finally {
  if (kept < 0) rmSync(folder, { recursive: true, force: true });
}

for (const problem of problems) console.error(problem);
console.log(`published: ${count} packages, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);

async function check(name, tarball) {
  const data = tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength);
  const report = (problem) => problems.push(`${name}: ${problem}`);
  const types = createPackageFromTarballData(new Uint8Array(data));
  const files = types.listFiles();
  const root = `/node_modules/${name}/`;
  for (const file of files) {
    if (file.endsWith('.map')) report(`${file.slice(root.length)} is a source map without its sources`);
    if (file.startsWith(`${root}src/`)) report(`${file.slice(root.length)} is a source file`);
    if (/\.test\.(js|d\.ts)$/.test(file)) report(`${file.slice(root.length)} is a test`);
    if (/\.(js|d\.ts)$/.test(file) && /\/\/# sourceMappingURL=/.test(types.readFile(file)))
      report(`${file.slice(root.length)} names a source map that is not there`);
  }
  for (const wanted of ['LICENSE', 'README.md'])
    if (!files.includes(root + wanted)) report(`${wanted} is missing`);

  const { messages, pkg } = await publint({ pack: { tarball: data }, strict: true });
  for (const message of messages) report(formatMessage(message, pkg, { color: false }));

  // Packages for CommonJS and for resolution without `exports` are not promised: that is the profile `esm-only`.
  const { problems: wrong = [] } = await checkPackage(types);
  for (const { kind, entrypoint = '', resolutionKind = '' } of wrong)
    if (!['node10', 'node16-cjs'].includes(resolutionKind))
      report(`types of '${entrypoint}' (${resolutionKind}): ${kind}`);
}
