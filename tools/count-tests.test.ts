import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('count-tests.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'weft-count-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const report = (name: string, numPassedTests: number, numTotalTests: number, success: boolean): string => {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify({ numPassedTests, numTotalTests, success }));
  return file;
};

const count = (...reports: readonly string[]): readonly [line: string, code: number | null] => {
  const { stdout, status } = spawnSync(process.execPath, [script, ...reports], { encoding: 'utf8' });
  return [stdout, status];
};

const here = report('here.json', 20, 20, true);

describe('the closing line of CI', () => {
  it('sums up the tests of all versions of Node', () => {
    expect(count(here, report('good.json', 19, 19, true))).toEqual(['39 passed, 0 failed\n', 0]);
  });

  it('fails by one failed test of one version', () => {
    expect(count(here, report('bad.json', 18, 20, false))).toEqual(['38 passed, 2 failed\n', 1]);
  });

  it('fails where a file of tests could not be run at all', () => {
    expect(count(here, report('broken.json', 20, 20, false))).toEqual(['40 passed, 1 failed\n', 1]);
  });

  it('fails where a version left no report', () => {
    expect(count(here, join(folder, 'none.json'))).toEqual(['20 passed, 1 failed\n', 1]);
  });

  it('fails where there was nothing to run', () => {
    expect(count(report('empty.json', 0, 0, true))).toEqual(['0 passed, 0 failed\n', 1]);
  });
});
