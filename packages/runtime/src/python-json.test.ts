import { describe, expect, it } from 'vitest';
import { parsePythonJson } from './python-json.js';

describe('JSON of Python', () => {
  it('has numbers that JSON does not have', () => {
    const text = '{"a": [NaN, Infinity, -Infinity, -1.5e3], "NaN": "-Infinity, \\"NaN\\"", "b": null}';
    expect(parsePythonJson(text)).toEqual({
      a: ['NaN', Infinity, -Infinity, -1500],
      NaN: '-Infinity, "NaN"',
      b: null,
    });
    for (const broken of ['{"a": nan}', '{"a": NaNs}', '{"a": +Infinity}', '{"a": "NaN}', ''])
      expect(() => parsePythonJson(broken), broken).toThrow(SyntaxError);
  });
});
