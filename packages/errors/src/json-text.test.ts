import { describe, expect, it } from 'vitest';
import { deepestJson, parseJson, shown } from './index.js';

const nested = (depth: number, open = '[', close = ']'): string => open.repeat(depth) + close.repeat(depth);

describe('parseJson', () => {
  it('reads what JSON.parse reads', () => {
    for (const text of ['null', '[]', ' {"a":[1,{"b":"]]]["}]} ', '"\\\\"', '"[\\"["', '{"\\\\\\"{":1}'])
      expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  it('goes down to the deepest level, counts no brackets within texts, and not those that are closed', () => {
    expect(() => parseJson(nested(deepestJson))).not.toThrow();
    expect(parseJson(JSON.stringify(['['.repeat(3000), '\\"[{'.repeat(900)]))).toHaveLength(2);
    expect(parseJson(`[${Array.from({ length: 2000 }, () => '[]').join()}]`)).toHaveLength(2000);
  });

  it.each([
    ['lists', nested(deepestJson + 1)],
    ['objects', nested(20_000, '{"a":', '}').replace(':}', ':0}')],
    ['lists that are never closed', '['.repeat(100_000)],
    ['lists after a text that ends in escapes', `["\\\\",${nested(50_000)}]`],
  ])('refuses %s that are nested deeper', (_, text) => {
    expect(() => parseJson(text)).toThrow(
      new SyntaxError('lists and objects are nested deeper than 500 levels'),
    );
  });

  it.each(['', '{', '["a]', '"\\'])('says what is wrong with %j', (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});

describe('a value in a message', () => {
  it('is JSON, cut to a length', () => {
    expect(shown({ a: [1, 'x'] })).toBe('{"a":[1,"x"]}');
    expect(shown('x'.repeat(100), 10)).toBe('"xxxxxxxxx…');
    expect(shown(undefined)).toBe('missing');
  });

  it('is its type where JSON cannot hold it', () => {
    const round: Record<string, unknown> = {};
    round['self'] = round;
    let deep: unknown = 0;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(shown(round)).toBe('a value of type object');
    expect(shown(deep)).toBe('a value of type object');
    expect(shown(() => 0)).toBe('a value of type function');
    expect(shown(3n)).toBe('3');
  });
});
