import { describe, expect, it } from 'vitest';
import { compileTemplate, markText } from './index.js';

/** The rendered text, in which marked characters stand in brackets. */
const shown = (template: string, variables: Readonly<Record<string, unknown>>): string =>
  compileTemplate(template)
    .render(variables)
    .map(({ text, marked }) => (marked ? `⟦${text}⟧` : text))
    .join('');

describe('marked text is followed through', () => {
  const u = markText(' aXb <c>\nd ');
  it.each([
    ['{{ u }}', '⟦ aXb <c>\nd ⟧'],
    ['[{{ u | trim }}]', '[⟦aXb <c>\nd⟧]'],
    ["[{{ u.strip(' d') }}]", '[⟦aXb <c>\n⟧]'],
    ["{{ '<' ~ u ~ '>' }}", '<⟦ aXb <c>\nd ⟧>'],
    ["{{ '<' + u.strip() + '>' }}", '<⟦aXb <c>\nd⟧>'],
    ['{{ u[1] }}.{{ u[1:4] }}.{{ u[::-1] | trim }}', '⟦a⟧.⟦aXb⟧.⟦d\n>c< bXa⟧'],
    ["{{ u.split('X')[1] }}", '⟦b <c>\nd ⟧'],
    ["{{ u.split() | join('|') }}", '⟦aXb⟧|⟦<c>⟧|⟦d⟧'],
    ["{{ u.replace('X', '--') | trim }}", '⟦a⟧--⟦b <c>\nd⟧'],
    ["{{ ('x' ~ u).replace('x ', '')[:2] }}{{ 'b' | replace('b', u.strip()) }}", '⟦aXaXb <c>\nd⟧'],
    ['{{ u.upper() | trim }}{{ u | lower | trim }}', '⟦AXB <C>\nDaxb <c>\nd⟧'],
    ['{{ u | title | trim }}{{ u.strip().capitalize() }}', '⟦Axb <C>\nDAxb <c>\nd⟧'],
    ['{{ u.strip().center(13, "*") }}', '**⟦aXb <c>\nd⟧**'],
    ['{{ u | trim | e }}', '⟦aXb &lt;c&gt;\nd⟧'],
    ['{{ u | trim | indent(2) }}', '⟦aXb <c>⟧\n  ⟦d⟧'],
    ['{{ {"k": u} | tojson }}', '{"k": "⟦ aXb <c>\\nd ⟧"}'],
    ['{{ [u] }}', "['⟦ aXb <c>\\nd ⟧']"],
    ["{{ '%s!' % u.strip() }}{{ '%-12s|' % u.strip() }}", '⟦aXb <c>\nd⟧!⟦aXb <c>\nd⟧   |'],
    ["{{ '{}!{x:>12}'.format(u.strip(), x=u.strip()) }}", '⟦aXb <c>\nd⟧!   ⟦aXb <c>\nd⟧'],
    ["{{ u.strip().format(1) }}{{ '{0[0]}'.format(u.split()) }}", '⟦aXb <c>\ndaXb⟧'],
    ['{% set x %}<{{ u.strip() }}>{% endset %}{{ x }}', '<⟦aXb <c>\nd⟧>'],
    ['{% macro f(x) %}({{ x }}){% endmacro %}{{ f(u.split()[0]) }}', '(⟦aXb⟧)'],
    ['{% filter upper %}x{{ u.split()[0] }}{% endfilter %}', 'X⟦AXB⟧'],
    ['{% for c in u.split()[0] %}{{ c }}.{% endfor %}', '⟦a⟧.⟦X⟧.⟦b⟧.'],
    ['{{ u.split() | map("upper") | list }}', "['⟦AXB⟧', '⟦<C>⟧', '⟦D⟧']"],
    ['{{ u | trim | truncate(5, true, "…", 0) }}', '⟦aXb ⟧…'],
    ['{{ u.split() | first * 2 }}', '⟦aXbaXb⟧'],
    ['{{ u | trim | urlencode }}', '⟦aXb%20%3Cc%3E%0Ad⟧'],
    ['{{ u | wordwrap(4) | trim }}', '⟦aXb⟧\n⟦<c>⟧\n⟦d⟧'],
    ['{{ u | striptags }}', '⟦aXb d⟧'],
    ['{{ u.split() | sort | join }}{{ (u.split() | groupby(0) | first)[0] }}', '⟦<c>aXbd<⟧'],
    ["{{ u.strip().partition('X') | join('/') }}", '⟦a⟧/⟦X⟧/⟦b <c>\nd⟧'],
    ['{{ u if u else 1 }}{{ missing | default(u.split()[0]) }}', '⟦ aXb <c>\nd aXb⟧'],
    ["{{ u.split()[0].zfill(5) }}{{ '\\t' ~ u.split()[0].ljust(4) }}", '00⟦aXb⟧\t⟦aXb⟧ '],
  ])('%s', (template, expected) => {
    expect(shown(template, { u })).toBe(expected);
  });

  it('characters outside of the basic plane', () => {
    expect(shown("{{ '😀' ~ u[1] ~ u[::-1] }}", { u: markText('a😀b') })).toBe('😀⟦😀b😀a⟧');
  });

  it('all data that is marked, names of fields as well', () => {
    const d = markText({ key: ['text', { n: 1, deep: 'er' }] });
    expect(shown('{{ d | tojson }}', { d })).toBe('{"⟦key⟧": ["⟦text⟧", {"⟦n⟧": 1, "⟦deep⟧": "⟦er⟧"}]}');
    expect(shown('{{ d.key[1]["deep"] }}{% for k in d %}{{ k }}{% endfor %}', { d })).toBe('⟦erkey⟧');
  });

  it('a letter whose change of case is longer', () => {
    expect(shown("{{ ('ß' ~ u).upper() ~ ('x' ~ u) | upper }}", { u: markText('ßa') })).toBe('SS⟦SSA⟧X⟦SSA⟧');
  });
});

describe('data of a program', () => {
  const render = (template: string, variables: Readonly<Record<string, unknown>>): string =>
    shown(template, variables);

  it('is what JSON makes of it: whole numbers are integers, fields that are undefined are not there', () => {
    const d = {
      i: 3,
      f: 2.5,
      big: 2 ** 60,
      bigint: 10n ** 20n,
      no: undefined,
      nil: null,
      list: [undefined, true],
    };
    expect(render('{{ d }}', { d })).toBe(
      "{'i': 3, 'f': 2.5, 'big': 1152921504606846976, 'bigint': 100000000000000000000, 'nil': None, 'list': [None, True]}",
    );
  });

  it('shows nothing of JavaScript', () => {
    const d = Object.assign(Object.create(null) as object, { x: 1 });
    const names = [
      'constructor',
      '__proto__',
      'prototype',
      'toString',
      'hasOwnProperty',
      'valueOf',
      '__class__',
    ];
    for (const name of names) {
      expect(
        render(`{{ d.${name} }}{{ d['${name}'] }}{{ l.${name} }}{{ s.${name} }}{{ f.${name} }}`, {
          d,
          l: [1],
          s: 'a',
          f: () => 1,
        }),
      ).toBe('');
      expect(render(`{{ ${name} is defined }}{{ namespace(a=1).${name} is defined }}`, {})).toBe(
        'FalseFalse',
      );
    }
    expect(render("{{ {'__proto__': 1, 'constructor': 2} }}", {})).toBe("{'__proto__': 1, 'constructor': 2}");
    expect(() => render("{{ s['constructor']('return 1')() }}", { s: 'a' })).toThrow(/has no attribute/);
    expect(() => render('{{ f() }}', { f: () => 1 })).toThrow(/not callable/);
  });

  it('that holds itself is refused', () => {
    const d: Record<string, unknown> = {};
    d['d'] = d;
    expect(() => render('{{ d }}', { d })).toThrow(/levels deep, or holds itself/);
  });
});
