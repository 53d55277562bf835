import { ConfigError, InputError } from '@weft/errors';
import { describe, expect, it } from 'vitest';
import { compileTemplate, isLimitError, type RenderLimits } from './index.js';

const render = (template: string, limits: Partial<RenderLimits> = {}): string =>
  compileTemplate(template)
    .render({}, { limits })
    .map(({ text }) => text)
    .join('');

/** The limit that a rendering passes, by the typed error. */
function limitOf(template: string, limits: Partial<RenderLimits> = {}): string | undefined {
  try {
    render(template, limits);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return /\(limit: (\w+)\)/.exec((error as Error).message)?.[1];
  }
}

const doubling = (start: string, step: string, end: string): string =>
  `{% set ns = namespace(v=${start}, w=${start}) %}{% for i in range(90) %}{% set ns.v = ${step} %}{% set ns.w = ${step.replaceAll('.v', '.w')} %}{% endfor %}${end}`;

describe('a rendering is stopped by its limit of', () => {
  it.each([
    [
      'loops within each other',
      '{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}',
    ],
    ['a list that doubles', doubling('[1]', 'ns.v + ns.v', '')],
    ['printing lists that hold a list twice', doubling('[1]', '[ns.v, ns.v]', '{{ ns.v }}')],
    ['comparing such lists', doubling('[1]', '[ns.v, ns.v]', '{{ ns.v == ns.w }}')],
    ['such lists as JSON', doubling('[1]', '[ns.v, ns.v]', '{{ ns.v | tojson }}')],
    ['such tuples as a key', doubling('(1,)', '(ns.v, ns.v)', '{{ {ns.v: 1} | length }}')],
    ['a filter that fills up', '{{ range(9) | batch(10 ** 9, 1) | list }}'],
    ['a filter that cuts into many', '{{ [1] | slice(10 ** 9) | list }}'],
    ['a list repeated', "{{ ['a'] * 10 ** 8 }}"],
    [
      'a search that is repeated',
      "{% set s = 'a' * 999999 %}{% for i in range(99999) %}{{ 'b' in s }}{% endfor %}",
    ],
  ])('steps: %s', (_, template) => {
    expect(limitOf(template, { steps: 300_000 })).toBe('steps');
  });

  it.each([
    ['a text repeated', "{{ 'a' * 10 ** 9 }}"],
    ['a text that doubles', doubling("'a'", 'ns.v ~ ns.v', '')],
    ['a replacement of every letter', "{{ ('a' * 99999).replace('a', 'b' * 99999) }}"],
    ['a list joined', "{{ (['a' * 99999] * 999) | join }}"],
    ['a width', "{{ '%999999999d' % 5 }}"],
    ['a precision', "{{ '%.999999999f' % 5 }}"],
    ['a width that is an argument', "{{ '%*d' % (10 ** 12, 5) }}"],
    ['a width of str.format', "{{ '{:999999999}'.format(1) }}"],
    ['a field', "{{ 'a'.center(10 ** 9) }}"],
    ['leading zeros', "{{ 'a'.zfill(10 ** 9) }}"],
    ['tabs', "{{ '\\t'.expandtabs(10 ** 9) }}"],
    ['an indentation', "{{ 'a\\nb' | indent(10 ** 9) }}"],
    ['an indentation of JSON', '{{ [1] | tojson(indent=10 ** 9) }}'],
    ['a power', '{{ 2 ** (10 ** 9) }}'],
    ['a product', '{{ (2 ** 90000) * (2 ** 90000) }}'],
    ['all that is printed', "{% for i in range(50) %}{{ 'a' * 99999 }}{% endfor %}"],
  ])('characters: %s', (_, template) => {
    expect(limitOf(template, { characters: 2 ** 21 })).toBe('characters');
  });

  it.each([
    ['a macro that calls itself', '{% macro f(x) %}{{ f(x + 1) }}{% endmacro %}{{ f(1) }}'],
    ['a loop that calls itself', '{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}'],
    ['a block that calls itself', '{% block a %}{{ self.a() }}{% endblock %}'],
    [
      'a list in a list in a list',
      '{% set ns = namespace(l=[]) %}{% for i in range(50000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}',
    ],
  ])('depth: %s', (_, template) => {
    expect(limitOf(template)).toBe('depth');
  });

  it('milliseconds', () => {
    const template = '{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}';
    const started = performance.now();
    expect(limitOf(template, { steps: Infinity, milliseconds: 100 })).toBe('milliseconds');
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('limits', () => {
  it('are those that are given, and the others as they are', () => {
    const template = '{% for i in range(100) %}{{ i }}{% endfor %}';
    expect(limitOf(template, { steps: 50 })).toBe('steps');
    expect(limitOf(template, { characters: 100 })).toBe('characters');
    expect(limitOf(template, { steps: undefined as unknown as number })).toBeUndefined();
  });

  it('are told apart from other errors', () => {
    const caught = (template: string): unknown => {
      try {
        return render(template, { steps: 50 });
      } catch (error) {
        return error;
      }
    };
    const stopped = caught('{% for i in range(100) %}{{ i }}{% endfor %}');
    expect([isLimitError(stopped), isLimitError(stopped, 'steps'), isLimitError(stopped, 'depth')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(isLimitError(caught('{{ 1 // 0 }}'))).toBe(false);
  });

  it('leave a long conversation alone', () => {
    const template =
      '{% for m in messages %}{% if loop.index0 % 2 == 0 %}{{ "<u>" ~ m.content | trim }}{% else %}{{ "<a>" + m.content }}{% endif %}{% endfor %}';
    const messages = Array.from({ length: 5000 }, (_, at) => ({ content: `${at} ${'word '.repeat(100)}` }));
    const [piece] = compileTemplate(template).render({ messages });
    expect(piece?.text.length).toBeGreaterThan(2_500_000);
  });
});

describe('a template is refused that', () => {
  it.each([
    ['parentheses', `{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`],
    ['lists', `{{ ${'['.repeat(5000)}${']'.repeat(5000)} }}`],
    ['signs', `{{ ${'-'.repeat(5000)}1 }}`],
    ['negations', `{{ ${'not '.repeat(5000)}1 }}`],
    ['sums', `{{ 1${' + 1'.repeat(5000)} }}`],
    ['attributes', `{{ x${'.x'.repeat(5000)} }}`],
    ['filters', `{{ 1${' | abs'.repeat(5000)} }}`],
    ['alternatives', `{{ ${'1 if 1 else '.repeat(5000)}1 }}`],
    ['tags', '{% if 1 %}'.repeat(5000) + '{% endif %}'.repeat(5000)],
  ])('nests %s without end', (_, template) => {
    expect(() => compileTemplate(template)).toThrow(ConfigError);
  });
});
