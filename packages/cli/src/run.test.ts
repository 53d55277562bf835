import { describe, expect, it } from 'vitest';
import { weft } from '../test/weft.js';

describe('weft', () => {
  it('prints its version and its help', async () => {
    expect(await weft(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
    const { code, stdout } = await weft(['--help']);
    expect(code).toBe(0);
    for (const command of ['ask', 'chat', 'inspect', 'verify', 'quantize', 'train', 'demo'])
      expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
  });

  it.each(['ask', 'chat', 'inspect', 'verify', 'quantize', 'train', 'demo'])(
    'shows an example of %s in its help',
    async (command) => {
      const { code, stdout } = await weft([command, '--help']);
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`Examples?:\\n {2}\\$ weft ${command}`));
    },
  );

  it('ends with code 2 without a command, or with one that does not exist', async () => {
    expect((await weft([])).code).toBe(2);
    expect(await weft(['asc'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/unknown command 'asc'[^]*Did you mean ask/),
    });
  });
});
