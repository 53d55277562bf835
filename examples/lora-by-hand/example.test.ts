import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const main = fileURLToPath(new URL('dist/main.js', import.meta.url));

it('shows the adapters in the traced graph, and the errors where they would be left out', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [main]);
  expect(stdout).toContain('The traced graph holds 8 new parameters:');
  expect(stdout.match(/self_attn\.[qv]_proj\.lora_[AB] /g)).toHaveLength(8);
  expect(stdout).toMatch(/^backbone .* 5,376 {2}partly trainable/m);
  expect(stdout).toMatch(
    /ConfigError: A module 'Decoder' that has parameters is not part of the traced model/,
  );
  expect(stdout).toMatch(/ConfigError: No part of the tree was replaced, looking for queries and values/);
});
