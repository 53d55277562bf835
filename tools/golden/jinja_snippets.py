"""Snippets of templates by what they are about, each rendered with `VALUES`."""

VALUES = {
    "n": 7,
    "neg": -3,
    "f": 2.5,
    "zero": 0,
    "t": True,
    "no": False,
    "nil": None,
    "s": "Hello World",
    "empty": "",
    "pad": "  two  words \n",
    "lines": "one\ntwo\r\nthree\n",
    "quote": "it's \"so\"",
    "uni": "Ünïcödé 猫 😀!",
    "html": "<b a='1'>&\"</b>",
    "l": [3, 1, 2],
    "words": ["b", "A", "c", "a"],
    "mixed": [1, 2.5, "x", None, True],
    "nested": [[1, 2], [3, [4]]],
    "d": {"b": 1, "a": {"x": [1, 2]}, "C": "see"},
    "users": [
        {"name": "Ann", "age": 30, "city": {"name": "Bern"}},
        {"name": "bob", "age": 25, "city": {"name": "Ulm"}},
        {"name": "Cid", "age": 30, "city": {"name": "bern"}},
    ],
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi\n"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello!"},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "Tells the weather of a city — \"now\".",
                "parameters": {
                    "type": "object",
                    "properties": {"city": {"type": "string", "enum": ["Köln", "A&B"]}, "days": {"type": ["integer", "null"]}},
                    "required": ["city"],
                },
            },
        }
    ],
    "tree": [{"v": 1, "kids": [{"v": 2, "kids": []}, {"v": 3, "kids": [{"v": 4, "kids": []}]}]}],
}

# Each value of a group is one snippet; `{{ }}` is put around those of groups whose names begin with "=".
GROUPS = {
    "=arithmetic": """1 + 2
7 // 2
-7 // 2
7 // -2
7 % 3
-7 % 3
7 % -3
7.5 // 2
-7.5 // 2
7.5 % -2
7 / 2
6 / 2
2 ** 10
2 ** -1
2 ** 0.5
-2 ** 2
(-2) ** 2
2 ** 3 ** 2
2 ** 100
10 ** 20 // 3
1e3
1.5e-7
1e16
1e15
123456789012345678
12345678901234567890 + 1
0.1 + 0.2
1 / 3
100.0
1e22
-0.0
0.0 * -1
1_000
0x1f
0b101
0o17
3 * 'ab'
'ab' * 0
'ab' * -1
[1] * 3
2 * (1,)
1 + 1.0
t + 1
t * 2.5
+t
-t
7 // 0
7 % 0
1.0 / 0
2.0 // 0.0
0 ** 0
0 ** -1
0.0 ** -1
1 + 'a'
'a' + 1
'a' + 'b'
[1] + [2]
(1,) + (2, 3)
[1] + (2,)
none + 1
1 - 'a'
5 - 2 - 1
2 + 3 * 4
(2 + 3) * 4
n + neg
f * 2
7.0
7.0 + 0
n / 7
missing + 1
1 + missing
-missing
1.0 * 3
7 * 0.1
1e308 * 10
9007199254740993
9007199254740992 * 2 + 1
-7 // 2.0
5 // 0.3
1 // 0.1
-1 % 0.3
3 % -0.7""",
    "=truth": """not 0
not ''
not []
not {}
not none
not missing
not 0.0
not '0'
not [0]
1 and 2
0 and 2
0 or 'x'
'' or missing
none or 0
'a' and ''
1 if t else 2
1 if no else 2
1 if no
(1 if no) is defined
'a' if 'b' in 'abc' else 'c' if t else 'd'
not t and no
not (t and no)
t or no and no
1 < 2 and 2 < 3
not 1 == 2
not not 1
1 and none
l and 'full'
d and 'full'
range(0) and 1
range(1) and 1""",
    "=comparison": """1 == 1.0
1 == true
0 == false
1 == '1'
'a' == 'a'
none == missing
missing == missing2
none == none
none == false
[] == []
[1, 2] == [1, 2.0]
[1] == (1,)
(1, 2) == (1, 2)
{} == {}
{'a': 1} == {'a': true}
{'a': [1]} == {'a': [1]}
d == {'b': 1, 'a': {'x': [1, 2]}, 'C': 'see'}
tools != []
[] != none
l != [3, 1, 2]
1 < 2 < 3
1 < 3 < 2
3 > 2 > 1 > 0
1 == 1 != 2
1 < 'a'
none < 1
'a' < 'b'
'Z' < 'a'
'a' < 'ab'
[1, 2] < [1, 3]
[1] < [1, 0]
[1, 'a'] < [1, 2]
[1, 'a'] < [2, 2]
(1, 2) <= (1, 2)
1 <= 1.0
true > false
true < 2
{} < {}
2 in [1, 2]
2.0 in [1, 2]
'b' in 'abc'
'' in 'abc'
1 in 'abc'
'x' in d
'a' in d
'a' not in d
none in [none]
missing in [1]
1 in missing
1 in none
'a' in {'a': 1}.keys()
('a', 1) in {'a': 1}.items()
[1] in [[1], [2]]
'猫' in uni
missing < 1
1 == 2 is defined
(1 == 1) is true
'1' in ['1']
1 in range(3)
3 in range(3)
'B' in words
true == 1.0
'é' == 'e\\u0301'
0.1 + 0.2 == 0.3
12345678901234567890 == 12345678901234567890.0
9007199254740993 == 9007199254740992.0
1 is eq 1
none is eq none""",
    "=printing": """true
false
none
1
1.0
'a'
[]
[1, 'a', none, true, 1.0]
{}
{'a': 1, 2: 'b', none: [], 1.5: {}}
(1,)
(1, 2)
()
[()]
['it\\'s']
['say "hi"']
['both \\' and "']
['\\n\\t\\r\\\\']
['\\x00\\x7f\\xa0\\xad']
['é', '猫', '😀', '\\u200b', '\\u2028']
[missing]
{'a': missing}
range(3)
range(1, 10, 2)
[range(2)]
[[1, [2]], {'a': {'b': ()}}]
d
users[0]
messages[3]
mixed
d.keys()
d.values()
d.items()
{'a': 1}.keys() | list
{1: 'a', 1.0: 'b', true: 'c'}
{'a': 1, 'a': 2}
namespace(a=1, b='x')
'' ~ none ~ true ~ 1.0 ~ [1]
1 ~ 2
'a' ~ missing ~ 'b'
tools
html
[html]
1e100
[1e16, 1e-5, 0.0001, 123456.789e3]
1.0e0
-1.5
1e400
-1e400
[1e400 - 1e400]
uni
[uni]
none ~ ''
'{}'
'{{ x }}'
"a" 'b' "c"
'a' "b" | upper
'\\u0041\\x42\\103\\n'
'\\q\\d'
'a\\
b'
true ~ false
True
None
[True, None]""",
    "=items": """l[0]
l[-1]
l[5]
l[1:]
l[:-1]
l[::-1]
l[::2]
l[-2:]
l[5:]
l[1:1]
l[::0]
s[0]
s[-1]
s[20]
s[:5]
s[6:]
s[::-1]
s[-5:-1]
s[4::-2]
s[10:2:-3]
uni[0]
uni[-2]
uni[12]
uni[10:]
uni[::-1]
d['b']
d.b
d['zzz']
d.zzz
d.a.x
d.a.x[1]
d['a']['x'][-1]
d.zzz.y
d.items
d['items']
d[none]
d[[]]
l.0
l['0']
l['a']
l.a
nested[1][1][0]
nested.1.1.0
(1, 2, 3)[1:]
(1, 2, 3)[0]
(1, 2)[5]
range(10)[3]
range(10)[-1]
range(10)[2:5]
range(10)[::3] | list
'abc'[1.0]
l[true]
l[1.0]
n.x
n[0]
none.x
none[0]
missing.x
missing[0]
missing['x']
{1: 'one'}[1]
{1: 'one'}[1.0]
{1: 'one'}[true]
{'1': 'one'}[1]
{(1, 2): 'pair'}[(1, 2)]
{(1, 2): 'pair'}[1, 2]
l[1:2, 0]
messages[0].role
messages[-1]['content'][1]['text']
messages[1:][0]['role']
messages[::-1][0].role
s.upper
'a'.b
'x'[0][0][0]
users | map(attribute='name')
users.0.name
d.get('b')
d.get('zzz')
d.get('zzz', 5)
d.get('a', 5).x
{'x': none}.get('x', 1)
d.get()
{'get': 1}.get
{'get': 1}['get']
{'keys': [1]}.keys()
{'__class__': 5}['__class__']
{'_x': 5}._x
''.__class__
''.__class__.__mro__
[].append
[].append(1)
d.update({'z': 1})
d.pop('b')
l.sort()
l.pop is defined
(1).__add__(2)
namespace(a=1).a
namespace(a=1)['a']
namespace(a=1).b
namespace({'a': 1}, b=2).a
namespace(_a=1)._a
cycler.__init__.__globals__""",
    "=strings": """s.upper()
s.lower()
s.title()
'hello world-wide o\\'neil'.title()
s.capitalize()
'hELLO wORLD'.capitalize()
s.swapcase()
'ß'.upper()
'ǆ'.title()
'ΑΣ'.lower()
'ŉ'.capitalize()
'ﬁx'.title()
'straße'.casefold()
'ẞıİ'.casefold()
'ᏸꭰᎠ'.casefold()
'ﬁŉΣς'.casefold()
pad.strip()
pad.lstrip()
pad.rstrip()
'xxhixx'.strip('x')
'xyhiyx'.lstrip('xy')
'hi...!'.rstrip('.!')
'\\n\\nhi'.lstrip('\\n')
' hi '.strip('')
'hi'.strip(none)
'\\ufeff hi'.strip()
'\\x1chi\\x85'.strip()
'abc'.strip(1)
'a,b,,c'.split(',')
'a,b,,c'.split(',', 1)
'a,b,,c'.rsplit(',', 1)
' a  b c '.split()
' a  b c '.split(none, 1)
' a  b c '.rsplit(none, 1)
' a  b c '.rsplit(maxsplit=1)
'a b'.split(' ', maxsplit=1)
''.split()
''.split(',')
'abc'.split('')
'abc'.split('b')[-1]
'x</think>y</think>z'.split('</think>')[-1]
'x</think>y'.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n')
lines.splitlines()
lines.splitlines(true)
'a\\x0bb\\x0cc\\u2028d'.splitlines()
''.splitlines()
'\\n'.splitlines()
s.startswith('Hello')
s.startswith(('x', 'Hell'))
s.startswith('World', 6)
s.startswith([])
s.endswith('World')
s.endswith(('d', 'x'))
s.endswith('')
s.find('o')
s.find('o', 5)
s.find('zzz')
s.rfind('o')
s.index('W')
s.index('zzz')
s.count('o')
s.count('')
s.count('l', 3)
uni.find('😀')
uni.find('!')
uni.count('')
s.replace('o', '0')
s.replace('o', '0', 1)
s.replace('', '-')
'ab'.replace('', '-', 2)
s.replace('zzz', 'x')
'aaa'.replace('aa', 'b')
s.replace('o')
s.replace('o', 1)
', '.join(words)
', '.join(['a', 1])
''.join([])
'-'.join('abc')
', '.join({'a': 1, 'b': 2})
'a'.join('')
'x'.center(5)
'xy'.center(5, '*')
'xyz'.center(6, '*')
'x'.ljust(3) ~ '|'
'x'.rjust(3, '.')
'7'.zfill(3)
'-7'.zfill(4)
'+'.zfill(3)
'a-b-c'.partition('-')
'a-b-c'.rpartition('-')
'abc'.partition('-')
'abc'.rpartition('-')
'abc'.removeprefix('a')
'abc'.removesuffix('bc')
'abc'.removesuffix('')
'a\\tb'.expandtabs()
'a\\tb'.expandtabs(4)
'abc'.isalpha()
'ab1'.isalnum()
'12'.isdigit()
'²'.isdigit()
'²'.isdecimal()
'½'.isnumeric()
'二'.isnumeric()
' \\n'.isspace()
''.isspace()
'abc'.islower()
'ABC'.isupper()
'A1'.isupper()
'1'.isupper()
'Ab Cd'.istitle()
'a_1'.isidentifier()
'1a'.isidentifier()
'é'.isascii()
''.isascii()
'a\\n'.isprintable()
'abc'.translate({97: 'x', 98: none})
'abc'.upper(1)
'abc'.foo()
'{} {}'.format('a', 1)
'{1} {0}'.format('a', 'b')
'{a} {b[0]} {b[1]}'.format(a=1, b=[2, 3])
'{0.name}'.format({'name': 'x'})
'{:>5}|{:<5}|{:^5}'.format('a', 'b', 'c')
'{:05d} {:+d} {:,}'.format(42, 42, 1234567)
'{:.2f} {:e} {:g} {:%}'.format(3.14159, 12345.678, 0.00001234, 0.256)
'{:x} {:X} {:#x} {:o} {:b}'.format(255, 255, 255, 8, 5)
'{!r} {!s}'.format('a', 'b')
'{{}} {{{}}}'.format(1)
'{:*^{w}}'.format('x', w=7)
'{'.format()
'}'.format()
'{}'.format()
'{a}'.format()
'{0} {}'.format(1, 2)
'{:d}'.format('a')
'{:s}'.format(1)
'{:.3}'.format('abcdef')
'{:.3}'.format(1234.5678)
'{}'.format(none)
'{:5}'.format(none)
'{:5}'.format(true)
'{}'.format([1, 'a'])
'{:_}'.format(1234567)
'{:010,}'.format(1234)
'{:c}'.format(65)
'{0.__class__}'.format('a')
'{a}'.format_map({'a': 1})
'%s is %d' % ('a', 3)
'%s' % 'x'
'%s' % none
'%s' % [1, 2]
'%r' % 'x'
'%5s|%-5s|%05d' % ('a', 'b', 42)
'%.2f %e %g' % (3.14159, 12345.678, 0.00001234)
'%x %X %o %#x' % (255, 255, 8, 255)
'%(a)s-%(b)d' % {'a': 'x', 'b': 2}
'%%' % ()
'%d%%' % 5
'%d' % 3.7
'%d' % 'a'
'%s %s' % 'a'
'%s' % ('a', 'b')
'abc' % 1
'abc' % []
'%c' % 'x'
'%c' % 65
'%+d % d' % (3, 3)
'%*d' % (5, 42)
'%.3s' % 'abcdef'
'%i' % true
'%z' % 1
'%' % 1
'%s' % missing
'%d' % missing""",
    "=numbers": """5 | abs
'%5%' % ()
'%-%' % (1,)
'%.2%' % {'a': 1}
'%d%%' % 5
'١٢' | int, '-１２' | int, '𝟙𝟚' | int, '1_２' | int
'१.५' | float, '１e２' | float, '٣' | int(base=2)
'\u0661f' | int(base=16), '०x1f' | int(0, 16)
'\u00a07\u3000' | int, '\x857' | float, '\ufeff7' | int, '\x1c7' | float
-5 | abs
-2.5 | abs
'a' | abs
2.5 | round
3.5 | round
2.675 | round(2)
-2.5 | round
42 | round
42.55 | round(1)
1234 | round(-2)
42.55 | round(1, 'floor')
42.55 | round(1, 'ceil')
42 | round(1, 'ceil')
42.1 | round(0, 'ceil')
2.5 | round(1, 'up')
'a' | round
1e20 | round(2)
'42' | int
'42.7' | int
'abc' | int
'abc' | int(5)
' 7 ' | int
'1_000' | int
'0x1f' | int(0, 16)
'1f' | int(base=16)
'0b11' | int(0, 0)
'101' | int(base=2)
3.99 | int
-3.99 | int
none | int
none | int(9)
[] | int
true | int
missing | int
'1e3' | int
'inf' | int
'3.5' | float
'abc' | float
'abc' | float(1.5)
'1e5' | float
'inf' | float
'-nan' | float
'1_0.5' | float
7 | float
none | float
12 | filesizeformat
1 | filesizeformat
1000 | filesizeformat
1234567 | filesizeformat
1234567 | filesizeformat(true)
1e30 | filesizeformat
5 is odd
4 is even
2.5 is odd
9 is divisibleby 3
9 is divisibleby(4)
9 is divisibleby 0
(5).bit_length()
(2.0).is_integer()
(2.5).as_integer_ratio()
n.real
1 | string
1.0 | string
true | string
10 | string | length""",
    "=filters": """missing | default('x')
missing | d('x')
none | default('x')
none | default('x', true)
'' | default('x', boolean=true)
0 | default(5)
missing.x | default('x')
d.zzz | default('x')
missing | default
missing | default(none)
s | length
l | count
d | length
none | length
5 | length
missing | length
uni | length
range(5) | length
l | first
l | last
[] | first
[] | last
s | first
s | last
d | first
d | last
none | first
range(3) | last
l | sort
l | sort(reverse=true)
words | sort
words | sort(case_sensitive=true)
words | sort(true)
users | sort(attribute='age') | map(attribute='name') | list
users | sort(attribute='age,name') | map(attribute='name') | list
users | sort(attribute='city.name') | map(attribute='name') | join
mixed | sort
[[2, 1], [1, 2]] | sort
['b', 1] | sort
[1, none] | sort
d | sort
'cab' | sort
[2.0, 1, true] | sort
words | unique | list
[1, 1.0, true, 2, '1'] | unique | list
[[1], [1]] | unique | list
users | unique(attribute='age') | map(attribute='name') | list
words | min
words | max
l | min
l | max
[] | min
[] | max | default('none')
users | max(attribute='age')
['B', 'a'] | min(case_sensitive=true)
l | sum
[0.1, 0.2, 0.3] | sum
[] | sum
[] | sum(start=5)
users | sum(attribute='age')
['a'] | sum
[[1], [2]] | sum(start=[])
l | join
l | join(', ')
words | join('-')
users | join(', ', attribute='name')
[none, 1, missing, true] | join('|')
'abc' | join(',')
d | join(',')
none | join
missing | join(',')
l | reverse | list
s | reverse
l | reverse
d | reverse | list
(1, 2) | reverse | list
5 | reverse
l | list
s | list
d | list
d.items() | list
none | list
5 | list
missing | list
l | map('string') | list
words | map('upper') | list
words | map('upper') | join
l | map('multiply') | list
[1, 2] | map
users | map(attribute='name') | list
users | map(attribute='zip') | list
users | map(attribute='zip', default='-') | list
users | map(attribute='city.name') | list
users | map(attribute='name', foo=1) | list
nested | map('first') | list
nested | map(attribute=0) | list
nested | map(attribute='1.1') | list
['a b', 'c'] | map('replace', ' ', '_') | list
missing | map('upper') | list
[1, 2, 3, 4] | select('odd') | list
[1, 2, 3, 4] | reject('odd') | list
[0, 1, '', 'a', none] | select | list
[0, 1, '', 'a', none] | reject | list
[1, 2, 3] | select('>', 1) | list
[1, 2, 3] | select('divisibleby', 2) | list
['a', 'b'] | select('in', ['b']) | list
users | selectattr('age', 'eq', 30) | map(attribute='name') | list
users | selectattr('age', '==', 30) | list | length
users | selectattr('zip') | list
users | selectattr('zip', 'defined') | list
users | rejectattr('age', 'gt', 26) | map(attribute='name') | list
users | selectattr('city.name', 'equalto', 'Ulm') | map(attribute='name') | first
messages | selectattr('role', 'equalto', 'user') | list | length
messages | selectattr('role', 'in', ['system', 'user']) | map(attribute='role') | join(',')
[1] | select('nope') | list
[1] | select(nope) | list
users | groupby('age') | list
users | groupby('age') | map(attribute='grouper') | list
users | groupby('city.name') | map('first') | list
users | groupby('city.name', case_sensitive=true) | map('first') | list
users | groupby('zip', default='none') | map('first') | list
(users | groupby('age'))[0].list | length
d | dictsort
d | dictsort(true)
d | dictsort(false, 'value')
{'b': 1, 'a': 2} | dictsort(by='value', reverse=true)
{'b': 1} | dictsort(by='x')
l | dictsort
d | items | list
missing | items | list
l | items | list
[1, 2, 3, 4, 5] | batch(2) | list
[1, 2, 3, 4, 5] | batch(2, 0) | list
[1, 2, 3, 4, 5] | slice(2) | list
[1, 2, 3, 4, 5] | slice(3, 'x') | list
[1] | slice(0) | list
s | upper
s | lower
'hello wORLD' | capitalize
'hello world-wide (x) o\\'neil' | title
5 | upper
none | upper
missing | upper
pad | trim
'xxhixx' | trim('x')
5 | trim
none | trim
s | replace('o', '0')
s | replace('o', '0', 1)
5 | replace(5, 6)
s | replace('', '-')
none | replace('N', 'n')
s | truncate(8)
s | truncate(8, true)
'foo bar baz qux' | truncate(9)
'foo bar baz qux' | truncate(9, true)
'foo bar baz qux' | truncate(11)
'foo bar baz qux' | truncate(11, false, '...', 0)
'foo bar baz qux' | truncate(5, end='')
s | truncate(2)
'a b c' | wordcount
'Ünï_x 猫-1' | wordcount
'a\\nb\\n\\nc' | indent
'a\\nb\\n\\nc' | indent(2, true)
'a\\nb\\n\\nc' | indent(2, blank=true)
'a\\nb' | indent('> ', true)
'a\\n' | indent
'' | indent
none | indent
5 | indent
'x' | center(5) ~ '|'
'%s-%s' | format(1, 2)
'%(a)s' | format(a=1)
'%(a)s' | format(1, a=1)
'The quick brown fox jumps over well-known lazy dogs' | wordwrap(10)
'abcdefghijklmnop qrs' | wordwrap(5)
'abcdefghijklmnop qrs' | wordwrap(5, false)
'a\\nb c d e f' | wordwrap(3, wrapstring='|')
'semi-automatic--device' | wordwrap(7, break_on_hyphens=false)
html | e
html | escape
html | e | e
html | forceescape
html | e | forceescape
html | safe
(html | safe) ~ '<'
(html | safe) + '<'
'<' + (html | safe)
(html | e) is escaped
html is escaped
[html | safe]
('<%s>' | safe) % '<'
('{}' | safe).format('<')
('<' | safe).join(['<', '>'])
('a<b' | e) | upper
('a<b' | e).split('&')
('<i>' | safe) | replace('i', '<')
'<p>a &amp; <b>b</b>  c</p>' | striptags
'a b/c?d=é&' | urlencode
{'a b': 'c&d', 'x': 1} | urlencode
[['a', 'é/'], ['b', none]] | urlencode
5 | urlencode
range(2) | urlencode
['ab', 'cd'] | urlencode
missing | urlencode
tools | pprint
messages | pprint
users | pprint
nested | pprint
[s * 12, {'key': s * 9, 2: s * 20, none: 1}] | pprint
('a ' * 60) | pprint
(('word ' * 40,), 1) | pprint
{'b': 1, 'a': [1, 'x'], 'C': none} | pprint
missing | pprint
{'class': 'a b', 'id': none, 'x': missing, 'y': '<'} | xmlattr
{'a': 1} | xmlattr(false)
{'a b': 1} | xmlattr
{} | xmlattr
d | attr('b')
s | attr('upper')
d | attr('get')
5 | string
'a' | string | length
l | nofilter
'a' | upper | lower | title
-1 | abs + 1
1 + -1 | abs
'a' ~ 'b' | upper
('a' ~ 'b') | upper
l | first | string ~ 'x'
l | random in l
[3] | random
'upper' is filter
'nope' is filter
'odd' is test
'nope' is test""",
    "=json": """none | tojson
true | tojson
1 | tojson
1.0 | tojson
1e16 | tojson
1.5e-7 | tojson
[1e400, -1e400] | tojson
'a' | tojson
html | tojson
uni | tojson
quote | tojson
'\\x00\\x1f\\x7f\\u2028/' | tojson
'\\t\\b\\f\\r\\n\\\\' | tojson
[] | tojson
{} | tojson
[1, [2, {'a': []}]] | tojson
{'b': 1, 'a': 2} | tojson
{1: 'a', 2.5: 'b', none: 'c', true: 'd'} | tojson
{(1, 2): 1} | tojson
(1, 2) | tojson
missing | tojson
[missing] | tojson
range(3) | tojson
d.items() | tojson
d | tojson
tools | tojson
tools[0] | tojson(indent=4)
d | tojson(indent=2)
d | tojson(indent=0)
[[], {}, [1]] | tojson(indent=1)
d | tojson(indent='--')
d | tojson(sort_keys=true)
{'b': 1, 1: 2} | tojson(sort_keys=true)
d | tojson(separators=(',', ':'))
d | tojson(separators=(',', ':'), indent=1)
d | tojson(indent=2, sort_keys=true)
uni | tojson(ensure_ascii=true)
uni | tojson(true)
d | tojson(2)
users | map('tojson') | join('\\n')
html | safe | tojson
'😀' | tojson(ensure_ascii=true)
12345678901234567890123 | tojson
namespace(a=1) | tojson
d | tojson | length
(d | tojson) is escaped""",
    "=tests": """missing is defined
n is defined
none is defined
missing is undefined
d.zzz is defined
d.a.x is defined
missing.x is defined
nil is none
missing is none
missing is not none
0 is none
true is boolean
1 is boolean
1 is integer
1.0 is integer
true is integer
1.0 is float
1 is number
true is number
'1' is number
'a' is string
1 is string
('a' | safe) is string
d is mapping
l is mapping
namespace() is mapping
l is sequence
d is sequence
'a' is sequence
1 is sequence
missing is sequence
range(1) is sequence
d.keys() is sequence
(l | map('abs')) is sequence
l is iterable
1 is iterable
'a' is iterable
none is iterable
missing is iterable
(l | map('abs')) is iterable
range is callable
s.upper is callable
s is callable
missing is callable
true is true
1 is true
false is false
0 is false
'abc' is lower
'ABC' is upper
5 is lower
1 is sameas 1
1 is sameas true
none is sameas none
l is sameas l
1 is eq 1.0
1 is ne 2
1 is lt 2
2 is le 2
3 is gt 2
3 is ge 4
3 is lessthan 4
3 is greaterthan 4
1 is equalto 1
'a' is in 'abc'
1 is in [1]
1 is not in [1]
1 is in 5
1 is nope
4 is not odd
not 4 is odd
'a' is string and 'b' is string
1 is number or missing.x
1 is defined is defined
(1 is defined) is true
n is divisibleby 7
n is divisibleby(num=7)
'a' is odd
none is odd
messages[0].content is string
messages[3].content is string
messages[3]['content'] is iterable and messages[3]['content'] is not mapping
tools is not none and tools
tools is iterable and tools | length > 0
'x' is sameas('x')
1 is eq(1) and 2 is eq(2)
1 in [1] is true
'é' is upper""",
    "=functions": """range(3) | list
range(2, 5) | list
range(5, 0, -2) | list
range(0)
range()
range('a')
range(1.5)
range(1, 2, 0)
range(100001)
range(100000) | length
range(0, 1000000, 100) | length
dict(a=1)
dict([('a', 1), ['b', 2]])
dict({'a': 1}, b=2)
dict(1)
dict(a=1).items() | list
namespace().x
joiner is defined
namespace is callable
raise_exception('no')
raise_exception(5)
foo()
'a'()
s.upper()()
d.b()
none()
range(*[1, 4]) | list
range(*l[:1]) | list
dict(**{'a': 1})
dict(**{1: 2})
dict(a=1, **{'a': 2})
'{a}{b}'.format(**{'a': 1, 'b': 2})
'{}{}'.format(*[1, 2])
range(*5)
dict(**5)
'a'.replace(old='a', new='b')
strftime_now is defined
strftime_now('%%')
strftime_now(5)
l.index(1)
l.index(9)
l.count(3)
l.copy()
(1, 2, 1).count(1)
(1, 2, 1).index(2)
d.keys() | sort
d.copy() == d
{'a': 1}.fromkeys(['x'], 0)
d.values() | list | length""",
}

# Whole snippets.
WHOLE = [
    # White space.
    "a\n{% if t %}\nb\n{% endif %}\nc\n",
    "a\n  {% if t %}\n  b\n  {% endif %}\nc",
    "a {%- if t %} b {%- endif %} c",
    "a {% if t -%} b {% endif -%} c",
    "a\n  {%+ if t %}x{% endif %}",
    "a\n{% if t +%}\nb{% endif %}",
    "  {{ n }}  \n  {{- n }}  \n",
    "{{ n -}}\n  x",
    "{{ n }}\n{{ n }}\n",
    "{{ n }}\n\n",
    "\n\n{{ n }}",
    "\n",
    "",
    "   ",
    "a\r\nb\r\n{% if t %}\r\nc\r\n{% endif %}\r\nd\r\n",
    "a\rb\r{{ n }}\r",
    "A\r\n{% for x in l %}\r\n{{ x }}\r\n{% endfor %}\r\nB",
    "{# a comment #}x",
    "a {#- b -#} c",
    "a\n  {# b #}\n  c",
    "a\n{#+ b +#}\nc",
    "{# {{ n }} {% if %} #}y",
    "{# unclosed",
    "{% raw %}{{ n }} {% if %}{% endraw %}",
    "a\n  {% raw %}\n  {{ n }}\n  {% endraw %}\n b",
    "a {%- raw -%} x {%- endraw -%} b",
    "{% raw %}unclosed",
    "{{ '{%' }}{{ '}}' }}",
    "{{- n -}}{{- n -}}",
    "x{{-5}}",
    "x{{+5}}",
    "x{{ -5}}",
    "{%- set a = 1 -%}\n  {{ a }}",
    "\t{% if t %}\n\t\ttab\n\t{% endif %}\n",
    "a\n   {{ n }}\n",
    "text {% if t %}  {% endif %} text",
    "{{ {'a': {'b': 1}}.a.b }}",
    "{{ {'a':1}}}",
    "{{ '}}' ~ \"{{\" }}",
    "{%if t%}x{%endif%}",
    "{% if t %}x{% endif %}\n\n\n{% if t %}y{% endif %}",
    "a\u00a0{%- if t %}b{% endif %}",
    "a\ufeff{%- if t %}b{% endif %}",
    "x\n\n{%- if t %}y{% endif -%}\n\n z",
    # Lines of for.
    "{% for x in l %}{{ x }},{% endfor %}",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}",
    "{% for x in [none, none] %}{{ loop.previtem }}{{ loop.nextitem }} {% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for x in l %}{{ loop.cycle() }}{% endfor %}",
    "{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }} {% endfor %}",
    "{% for x in [] %}x{% else %}empty{% endfor %}",
    "{% for x in l %}x{% else %}empty{% endfor %}",
    "{% for x in missing %}x{% else %}empty{% endfor %}",
    "{% for x in none %}x{% endfor %}",
    "{% for x in 5 %}x{% endfor %}",
    "{% for k in d %}{{ k }} {% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d | dictsort %}{{ k }}={{ v }};{% endfor %}",
    "{% for (a, b) in [[1, 2], (3, 4)] %}{{ a }}{{ b }} {% endfor %}",
    "{% for a, (b, c) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for a, b in [[1]] %}{% endfor %}",
    "{% for a, b in [[1, 2, 3]] %}{% endfor %}",
    "{% for a, b in [1] %}{% endfor %}",
    "{% for c in 'aß😀' %}[{{ c }}]{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% endfor %}",
    "{% for x in l if x > 5 %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in l if loop.index > 1 %}{{ x }}{% endfor %}",
    "{% for a, b in [[1, 2], [3, 4]] if a > 1 %}{{ loop.first }}{{ a }}{{ b }}{{ loop.previtem }}{% endfor %}",
    "{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}",
    "{% for x in l %}{% set outer = loop %}{% for y in [1, 2] %}{{ outer.index }}.{{ loop.index }} {% endfor %}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in [1] %}{% continue %}{% else %}E{% endfor %}",
    "{% for x in [1, 2] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% else %}E{% endfor %}",
    "{% for x in [1, 2] %}{% break %}{% else %}E{% endfor %}",
    "{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endfor %}|{% endfor %}",
    "{% break %}",
    "{% if t %}{% continue %}{% endif %}",
    "{% for x in l %}{% macro f() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for x in l %}{% set y = x %}{% endfor %}{{ y }}",
    "{% set y = 0 %}{% for x in l %}{% set y = y + x %}{{ y }} {% endfor %}{{ y }}",
    "{% for x in l %}{{ y }}{% set y = x %}{% endfor %}",
    "{% for n in l %}{{ n }}{% endfor %}{{ n }}",
    "{% for x in l %}{{ s }}{% endfor %}{% set s = 'later' %}{{ s }}",
    "{% if no %}{% set s = 'x' %}{% endif %}{{ s }}",
    "{% if t %}{% set q = 'x' %}{% endif %}{{ q }}",
    "{{ q }}{% set q = 1 %}{{ q }}",
    "{% set s %}[{{ s }}]{% endset %}{{ s }}",
    "{% set q = s %}{% set s = 'b' %}{{ q }}{{ s }}",
    "{% for x in range(3) recursive %}{{ x }}{% endfor %}",
    "{% for x in tree recursive %}{{ x.v }}({{ loop(x.kids) }}){% endfor %}",
    "{% for x in tree recursive %}{{ loop.depth }}{{ loop.depth0 }}:{{ x.v }}{% if x.kids %}[{{ loop(x.kids) }}]{% endif %}{% endfor %}",
    "{% for x in tree recursive %}{{ x.v }}{{ loop(x.kids) }}{% else %}-{% endfor %}",
    "{% for x in l %}{{ loop([1]) }}{% endfor %}",
    "{% for x in l %}{{ loop }}{% endfor %}",
    "{% for x in l | map('string') %}{{ loop.last }}{{ x }} {% endfor %}",
    "{% for x in l | map('string') %}{{ loop.length }}{{ x }} {% endfor %}",
    "{% for x in l | select('odd') %}{{ loop.revindex }}{% endfor %}",
    "{% for loop in l %}{% endfor %}",
    "{% for x in l %}{% set loop = 1 %}{% endfor %}",
    "{% set loop = 5 %}{{ loop }}",
    "{{ loop }}",
    "{{ loop is defined }}",
    "{% for x in l %}{% endfor %}{{ loop is defined }}",
    "{% for m in messages %}{{ m.role }}:{{ m['content'] }}\n{% endfor %}",
    "{% for m in messages[1:] %}{{ loop.index }}{{ m.role }}{% endfor %}",
    "{% for m in messages | reverse %}{{ m.role }} {% endfor %}",
    "{% for x in (1, 2), %}{{ x }}{% endfor %}",
    "{% for x in 1, 2, 3 %}{{ x }}{% endfor %}",
    "{% for x in l -%}\n  {{ x }}\n{%- endfor %}",
    "{% for x in l: %}{{ x }}{% endfor %}",
    "{% for x in range(3) %}{% for x in range(2) %}{{ x }}{% endfor %}{{ x }}{% endfor %}",
    # If.
    "{% if n == 7 %}a{% elif n == 8 %}b{% else %}c{% endif %}",
    "{% if n == 8 %}a{% elif n == 7 %}b{% else %}c{% endif %}",
    "{% if n == 8 %}a{% elif n == 9 %}b{% else %}c{% endif %}",
    "{% if missing %}a{% endif %}",
    "{% if missing.x %}a{% endif %}",
    "{% if t %}{% else %}{{ nope | nofilter }}{% endif %}",
    "{% if no %}{{ 1 | nofilter }}{% endif %}ok",
    "{% if t %}{{ 1 | nofilter }}{% endif %}",
    "{{ 1 | nofilter }}",
    "{% for x in [] %}{{ 1 | nofilter }}{% endfor %}",
    "{{ 1 if t else (2 | nofilter) }}",
    "{% if 1, 2 %}a{% endif %}",
    "{% if %}{% endif %}",
    "{% if t %}",
    "{% endif %}",
    "{% if t %}{% endfor %}",
    "{% else %}",
    "{% nope %}",
    "{{ }}",
    "{{ 1 2 }}",
    "{{ (1 }}",
    "{{ 1) }}",
    "{{ [1, 2 }}",
    "{{ {'a' 1} }}",
    "{{ a. }}",
    "{{ 'unclosed }}",
    "{{ 1 +",
    "{{ $ }}",
    "{{ a ! b }}",
    "{{ 1 | }}",
    "{{ 1 is }}",
    "{{ f(a=1, 2) }}",
    "{{ f(a=1, a=2) }}",
    "{{ f(1,) }}",
    "{{ [1, 2,] }}{{ {'a': 1,} }}{{ (1,) }}",
    "{{ 1, 2 }}",
    "{% print 1, 'a' %}",
    "{{ not }}",
    "{{ 5 if }}",
    "{% set 1 = 2 %}",
    "{% set true = 2 %}",
    "{% set a.b = 2 %}",
    "{% set a['b'] = 2 %}",
    # Set.
    "{% set a = 1 %}{{ a }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set a, b = 'xy' %}{{ a }}{{ b }}",
    "{% set a, b = [1] %}",
    "{% set (a, b) = (1, 2) %}{{ a + b }}",
    "{% set a = 1, 2 %}{{ a }}",
    "{% set a %}x{{ n }}{% endset %}[{{ a }}]",
    "{% set a | upper %}x{{ s }}{% endset %}[{{ a }}]",
    "{% set a | replace('o', '0') | upper %}{{ s }}{% endset %}{{ a }}",
    "{% set a %}{% endset %}[{{ a }}]{{ a is string }}",
    "{% set ns = namespace(x=1) %}{% for i in l %}{% set ns.x = ns.x * i %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace() %}{% set ns.a = [] %}{% for i in l %}{% set ns.a = ns.a + [i] %}{% endfor %}{{ ns.a }}",
    "{% set ns = namespace(a=1, b=2) %}{% set ns.a, ns.b = ns.b, ns.a %}{{ ns.a }}{{ ns.b }}",
    "{% set ns = namespace() %}{% set ns.t %}abc{% endset %}{{ ns.t }}",
    "{% set ns = {} %}{% set ns.a = 1 %}",
    "{% set missing.a = 1 %}",
    "{% set ns = namespace(found=false) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.found }}",
    "{% set ns = namespace(x=none) %}{{ ns.x is none }}{{ ns.y is defined }}{{ ns }}",
    "{% set x = x %}{{ x }}",
    "{% set n = n + 1 %}{{ n }}",
    "{% if t %}{% set n = n + 1 %}{% endif %}{{ n }}",
    "{% set a = [1] %}{% set b = a %}{{ a is sameas b }}",
    # With.
    "{% with a = 1 %}{{ a }}{% endwith %}{{ a }}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}",
    "{% with n = 1, b = n %}{{ n }}{{ b }}{% endwith %}",
    "{% with %}{% set z = 1 %}{{ z }}{% endwith %}{{ z }}",
    "{% with a, b = (1, 2) %}{{ a }}{{ b }}{% endwith %}",
    "{% set a = 1 %}{% with %}{% set a = 2 %}{{ a }}{% endwith %}{{ a }}",
    # Macros.
    "{% macro f() %}x{% endmacro %}{{ f() }}{{ f() }}",
    "{% macro f(a, b='d') %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }} {{ f(1, 2) }} {{ f(b=3, a=4) }} {{ f() }}",
    "{% macro f(a) %}{{ a is defined }}{% endmacro %}{{ f() }}",
    "{% macro f(a) %}{{ a + 1 }}{% endmacro %}{{ f() }}",
    "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}",
    "{% macro f(a) %}{% endmacro %}{{ f(b=2) }}",
    "{% macro f(a) %}{% endmacro %}{{ f(1, a=2) }}",
    "{% macro f(a) %}{{ varargs }}{% endmacro %}{{ f(1, 2, 3) }}",
    "{% macro f(a) %}{{ kwargs }}{% endmacro %}{{ f(1, b=2, c=3) }}",
    "{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(*[1, 2], **{'x': 1}) }}",
    "{% macro f(a, b=a) %}{{ b }}{% endmacro %}{{ f(1) }}",
    "{% macro f(a=n) %}{{ a }}{% endmacro %}{{ f() }}",
    "{% macro f(n=n) %}{{ n }}{% endmacro %}{{ f() }}",
    "{% macro f(a, a) %}{% endmacro %}",
    "{% macro f(a=1, b) %}{% endmacro %}",
    "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{% macro f() %}{{ q }}{% endmacro %}{% set q = 1 %}{{ f() }}",
    "{% macro f() %}{{ q }}{% endmacro %}{{ f() }}",
    "{% for q in l %}{% macro f() %}{{ q }}{% endmacro %}{{ f() }}{% endfor %}",
    "{% macro f() %}{% set z = 1 %}{{ z }}{% endmacro %}{{ f() }}{{ z }}",
    "{% set z = 0 %}{% macro f() %}{% set z = 1 %}{{ z }}{% endmacro %}{{ f() }}{{ z }}",
    "{% macro f(a) %}[{{ a }}|{{ caller() }}]{% endmacro %}{% call f(1) %}body{% endcall %}",
    "{% macro f() %}{% for x in l %}{{ caller(x) }}{% endfor %}{% endmacro %}{% call(y) f() %}<{{ y }}>{% endcall %}",
    "{% macro f() %}{{ caller(1, b=2) }}{% endmacro %}{% call(a, b=5) f() %}{{ a }}{{ b }}{% endcall %}",
    "{% macro f() %}{{ caller }}{% endmacro %}{{ f() }}",
    "{% macro f() %}{{ caller() }}{% endmacro %}{{ f() }}",
    "{% macro f() %}{% endmacro %}{% call f() %}x{% endcall %}",
    "{% macro f(caller) %}{{ caller() }}{% endmacro %}",
    "{% macro f(caller=none) %}{{ caller() if caller else 'no' }}{% endmacro %}{{ f() }}{% call f() %}y{% endcall %}",
    "{% call 5 %}{% endcall %}",
    "{% macro f(a, b=1) %}{{ varargs }}{% endmacro %}{{ f.name }}{{ f.arguments }}{{ f.catch_varargs }}{{ f.catch_kwargs }}{{ f.caller }}",
    "{% macro f() %}{% endmacro %}{{ f }}",
    "{% macro f() %} x {% endmacro %}{{ f() | trim }}{{ f() is string }}",
    "{{ f() }}{% macro f() %}{% endmacro %}",
    "{% if t %}{% macro f() %}a{% endmacro %}{% endif %}{{ f() }}",
    "{% macro _f() %}p{% endmacro %}{{ _f() }}",
    "{% macro f(x) %}{{ x | tojson }}{% endmacro %}{{ f({'a': none}) }}",
    "{% macro show(p, depth=0) %}{% for k, v in p.items() %}{{ '  ' * depth }}{{ k }}:{% if v is mapping %}\n{{ show(v, depth + 1) }}{% else %} {{ v }}\n{% endif %}{% endfor %}{% endmacro %}{{ show(tools[0]) }}",
    # Filter blocks and others.
    "{% filter upper %}abc {{ s }}{% endfilter %}",
    "{% filter replace('a', 'b') | upper %}aaa{% endfilter %}",
    "{% filter nope %}{% endfilter %}",
    "{% for x in l %}{% filter trim %} {{ x }} {% if x == 1 %}{% continue %}{% endif %}{% endfilter %}{% endfor %}",
    "{% autoescape true %}{{ html }}{{ html | safe }}{{ [html] | join('<') }}{% endautoescape %}{{ html }}",
    "{% autoescape false %}{{ html }}{% endautoescape %}",
    "{% autoescape t %}{{ html }}{% endautoescape %}",
    "{% autoescape true %}{% macro f() %}<b>{{ html }}{% endmacro %}{{ f() }}{% set a %}<{{ html }}{% endset %}{{ a }}{{ '<' ~ '>' }}{% endautoescape %}",
    "{% generation %}abc{% endgeneration %}",
    "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% endif %}{% endfor %}",
    "{% for x in l %}{% generation %}{{ x }}{% set y = x %}{{ y }}{% endgeneration %}{{ y }}{% endfor %}",
    "{% for x in l %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    "{%- generation -%}\n x \n{%- endgeneration -%}",
    "{% block a %}x{{ n }}{% endblock %}{{ self.a() }}",
    "{% block a %}{% endblock %}{% block a %}{% endblock %}",
    "{% set q = 1 %}{% block a %}{{ q }}{% endblock %}",
    "{% for x in l %}{% block a %}{{ x }}{% endblock %}{% endfor %}",
    "{% for x in l %}{% block a scoped %}{{ x }}{{ loop.index }}{% endblock %}{% endfor %}",
    "{% block a %}{{ super() }}{% endblock %}",
    "{% block a required %}{% endblock %}",
    "{% include 'x' %}",
    "{% include 'x' ignore missing %}",
    "{% extends 'x' %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y, z as w %}",
    "{% if no %}{% include 'x' %}{% endif %}ok",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.next() }}",
    "{% set j = joiner('|') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}",
    "{% set j = joiner() %}{{ j() }}a{{ j() }}b",
    "{{ raise_exception('stop ' ~ n) }}",
    "{% if messages[0].role != 'user' %}{{ raise_exception('must begin with user') }}{% endif %}",
    "{% set g = l | map('string') %}{{ g | first }}{{ g | join }}",
    "{% set g = l | map('string') %}{{ g | list }}{{ g | list }}",
    "{% set g = [3, 0] | map('divide') %}ok",
    "{% set it = [1, 2, 3] | batch(2) %}{% for row in it %}{{ row }}{% endfor %}{% for row in it %}{{ row }}{% else %}done{% endfor %}",
    "{% for key in tools[0].function.parameters.properties | sort %}{{ key }} {% endfor %}",
    "{%- for name, p in tools[0].function.parameters.properties.items() %}\n{{ name }}: {{ p.type if p.type is string else p.type | join(' | ') }}{{ '?' if name not in tools[0].function.parameters.required }}\n{%- endfor %}",
    "{% set content = messages[2].content %}{% if '</think>' in content %}{{ content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') }}|{{ content.split('</think>')[-1].lstrip('\\n') }}{% endif %}",
    "{% for m in messages %}{% if m.content is string %}{{ m.content | trim }}{% else %}{% for p in m.content %}{% if p.type == 'image' %}<image>{% elif 'text' in p %}{{ p.text }}{% endif %}{% endfor %}{% endif %}\n{% endfor %}",
    "{% set loop_messages = messages[1:] if messages[0]['role'] == 'system' else messages %}{{ loop_messages | length }}",
    "{{ messages | map(attribute='role') | list }}",
    "{{ (messages | last).content | selectattr('type', 'equalto', 'text') | map(attribute='text') | join }}",
    "{% set ns = namespace(last=-1) %}{% for m in messages %}{% if m.role == 'user' and m.content is string and not (m.content.startswith('<tool') and m.content.endswith('>')) %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{{ ns.last }}",
    "{% for m in messages[::-1] %}{% set index = (messages | length - 1) - loop.index0 %}{{ index }}{{ m.role }} {% endfor %}",
    "{{ 'é' ~ '\\u00e9' }}{{ \"\\x41\" }}",
    "{{ n.__class__.__name__ }}",
    "{{ ''.format.__self__ }}",
    "{{ self }}",
    "{{ self.x }}",
    "{{ _ }}{{ __ }}",
    "{{ ñ }}{% set ñ = 1 %}{{ ñ }}",
    "{{ a² }}",
    "{% set class = 1 %}{{ class }}",
    "{{ dict(class=1, if_=2) }}",
    "{% macro f(class) %}{{ class }}{% endmacro %}{{ f(class=3) }}",
    "{{ true.x }}{{ 1.0.x }}",
    "{{ 1.5.is_integer() }}",
    "{{ 1.e5 }}",
    "{{ 1..real }}",
    "{{ .5 }}",
    "{{ 08 }}",
    "{{ 1__0 }}",
    "{{ l.0 + l.1 }}",
    "{{ not_there() }}",
    "{{ not there }}",
    "{{ andy or orion }}",
    "{{ n if n }}{{ n if not n }}",
    "{{ '%s' % n ~ 'x' }}",
    "{{ 'a' in 'abc' and 'x' not in 'abc' }}",
    "{{ n is defined and n or 'no' }}",
    "{{ -n | abs }}",
    "{{ (n | string) * 2 }}",
    "{{ n|string*2 }}",
    "{{ 2 * l | length }}",
    "{{ l | length * 2 }}",
    "{{ l | length > 2 }}",
    "{{ not l | length > 5 }}",
    "{{ l | length is odd }}",
    "{{ [l | length, s | first] }}",
    "{{ s[l | first] }}",
    "{{ {'k': s | upper}['k'] }}",
    "{{ (s | upper)[0] }}",
    "{{ s | upper[0] }}",
    "{{ s.split()[0].lower() | upper }}",
    "{{ s | list | first | lower }}",
    "{{ s is string is true }}",
    "{% set x = s if s is string else '' %}{{ x }}",
    "{%- set x -%}  a  {%- endset -%}[{{ x }}]",
]


def snippets():
    """All snippets in order."""
    for name, text in GROUPS.items():
        # A line that ends with a backslash goes on in the next one.
        for line in text.replace("\\\n", "\0").split("\n"):
            yield "{{ " + line.replace("\0", "\\\n") + " }}"
    yield from WHOLE
