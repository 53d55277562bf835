import { ConfigError } from '@weft/errors';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { failureText, UsageError } from './failure.js';
import { bytesText, jsonText, statusLine, styleOf, table } from './terminal.js';

function terminal(isTTY: boolean) {
  const written: string[] = [];
  return {
    written,
    isTTY,
    columns: 40,
    hasColors: () => true,
    write: (text: string | Uint8Array) => written.push(String(text)) > 0,
  };
}

afterEach(() => vi.unstubAllEnvs());

describe('the terminal', () => {
  it('has colours only where it is one, and NO_COLOR is not set', () => {
    vi.stubEnv('NO_COLOR', '');
    expect(styleOf(terminal(true)).red('x')).toBe('\x1b[31mx\x1b[39m');
    expect(styleOf(terminal(false)).red('x')).toBe('x');
    vi.stubEnv('NO_COLOR', '1');
    expect(styleOf(terminal(true)).red('x')).toBe('x');
  });

  it('aligns numbers to the right and text to the left', () => {
    expect(
      table([
        ['part', 'count'],
        ['encoder', '1,024'],
        ['head', '7'],
      ]),
    ).toBe('part     count\nencoder  1,024\nhead         7');
  });

  it('shows what is under way on one line, which goes away again', () => {
    const [screen, pipe] = [terminal(true), terminal(false)];
    for (const stream of [screen, pipe]) {
      const status = statusLine(stream);
      status.show('reading weights of a long name', 0.5);
      status.clear();
    }
    expect(screen.written[0]).toMatch(/^\r\[#{12}-{12}\] /);
    expect(screen.written.at(-1)).toBe('\r\x1b[K');
    expect(pipe.written).toEqual([]);
  });

  it('writes JSON in which no character acts, and which holds the same value', () => {
    const value = { 'a\x9b2J': ['\x1b[2J\u202e', 'b\tc\nd'] };
    const text = jsonText(value, 2);
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(JSON.parse(text)).toEqual(value);
  });

  it('lets no line of a file look like a message of its own', () => {
    const error = new ConfigError({
      message: 'There is no tensor a\nerror: all is lost\r\x1b[2K',
      where: 'b\nnote: c',
      hint: 'Look.',
    });
    expect(failureText(error, false).split('\n')).toEqual([
      'There is no tensor a',
      '  error: all is lost\\r\\u001b[2K',
      '  at b',
      '  note: c',
      '  Look.',
    ]);
    expect(failureText(new Error('x\x1b]0;y\x07'), false)).toMatch(/^x\\u001b\]0;y\\u0007\n {2}This/);
  });

  it('writes bytes in the unit that fits', () => {
    expect([0, 999, 1000, 5_123_456, 14e9].map(bytesText)).toEqual([
      '0 bytes',
      '999 bytes',
      '1.00 kB',
      '5.12 MB',
      '14.0 GB',
    ]);
  });

  it('writes unknown errors in one line, and their causes on request', () => {
    const error = new Error('first\nsecond', { cause: new Error('deeper') });
    expect(failureText(error, false)).toMatch(/^first\n.*WEFT_DEBUG=1/);
    expect(failureText(error, true)).toMatch(/terminal\.test\.ts[^]*caused by Error: deeper/);
    expect(failureText(new UsageError('wrong', 'do this'), false)).toBe('wrong\n  do this');
  });
});
