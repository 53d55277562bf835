"""Random snippets of templates from a grammar, for a comparison with the reference."""

import random

from jinja_snippets import VALUES

NAMES = [name for name in VALUES] + ["missing", "x", "y"]
STRINGS = ["", "a", "abc", " a b ", "A,b,C", "x\\n y\\n", "<|im|>", "é猫😀", "1", "-2.5", "%s", "{}", "aXbXc", "  ", "it\\'s", "0x1f", "ab\\tc"]
INTEGERS = ["0", "1", "2", "-1", "3", "-3", "7", "10", "255", "1000000", "12345678901234567890"]
FLOATS = ["0.0", "1.0", "-1.5", "2.5", "0.1", "1e-7", "1e16", "123.456", "3.14159"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
METHODS = [
    "upper()", "lower()", "title()", "capitalize()", "strip()", "lstrip()", "rstrip()", "strip('a ')", "lstrip('x\\n')",
    "rstrip('c')", "split()", "split(',')", "split('X', 1)", "rsplit('X', 1)", "rsplit(none, 1)", "splitlines()", "splitlines(true)",
    "startswith('a')", "startswith(('a', 'x'))", "endswith('c')", "find('b')", "rfind('b')", "count('a')", "count('')", "replace('a', 'b')",
    "replace('', '-')", "replace('a', 'bb', 1)", "join(['x', 'y'])", "join(words)", "center(7)", "ljust(5, '.')", "rjust(5)", "zfill(6)",
    "partition('b')", "rpartition('X')", "removeprefix('a')", "isalpha()", "isdigit()", "isspace()", "islower()", "isupper()", "istitle()",
    "items()", "keys()", "values()", "get('a')", "get('b', 1)", "get('zz', none)", "copy()", "count(1)", "index(1)", "format(1, 'a')",
    "format(a=1)", "swapcase()", "casefold()", "expandtabs()", "index('b')", "isalnum()", "isnumeric()", "bit_length()", "is_integer()",
    "split('a')[0]", "split('a')[-1]", "items() | list", "append(1)", "pop()", "foo()", "a", "b", "name", "x", "real",
]
FILTERS = [
    "length", "upper", "lower", "title", "capitalize", "trim", "trim('a')", "first", "last", "list", "sort", "sort(reverse=true)", "unique | list",
    "min", "max", "sum", "join", "join(', ')", "reverse", "reverse | list", "string", "int", "int(5)", "float", "abs", "round", "round(1)",
    "round(-1)", "round(1, 'floor')", "round(0, 'ceil')", "default('d')", "default('d', true)", "d", "tojson", "tojson(indent=2)", "tojson(sort_keys=true)",
    "tojson(separators=(',', ':'))", "tojson(true)", "map('upper') | list", "map('string') | join", "map('length') | list", "map(attribute='name') | list",
    "map(attribute=0) | list", "select | list", "select('string') | list", "reject('none') | list", "select('odd') | list", "selectattr('name') | list",
    "rejectattr('a', 'defined') | list", "groupby('age') | list", "groupby(0) | list", "dictsort", "dictsort(by='value')", "items | list", "batch(2) | list",
    "batch(3, 'f') | list", "slice(2) | list", "slice(3, 0) | list", "wordcount", "replace('a', 'b')", "replace(1, 2)", "indent", "indent(2, true)",
    "indent(1, blank=true)", "truncate(3)", "truncate(5, true, '..')", "truncate(4, leeway=0)", "e", "escape", "safe", "forceescape", "format(1)", "format('a', 2)",
    "urlencode", "xmlattr", "striptags", "filesizeformat", "center(6)", "count", "attr('upper')", "attr('name')", "wordwrap(4)", "map('int') | sum",
    "map('default', 'q') | list", "map('tojson') | join(' ')", "sort(attribute='name')", "sort(case_sensitive=true)", "int(base=16)", "string | length",
]
TESTS = [
    "defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "sequence", "iterable", "callable", "true", "false",
    "odd", "even", "lower", "upper", "divisibleby 3", "divisibleby(2)", "eq 1", "ne 'a'", "lt 3", "ge 2", "in [1, 'a']", "sameas none", "escaped", "equalto(2)", "gt 1.5", "in 'abc'",
]
INDEXES = ["0", "-1", "1", "5", "'a'", "'b'", "'name'", "1:", ":2", "::-1", "-2:", "1:3", "::2", "none", "1.0", "true", "0:1", ":-1", "3::-2", "x"]
FORMATS = ["%s", "%r", "%d", "%5s", "%-4s|", "%05d", "%+d", "%.2f", "%e", "%g", "%x", "%c", "%5.1f", "%s %s", "%(a)s", "%%", "%o", "%#x", "%.3s", "%i", "% d"]
SPECS = ["", ":5", ":<5", ":>5", ":^6", ":*^7", ":05", ":+", ":,", ":.2f", ":.3", ":e", ":g", ":%", ":x", ":#x", ":b", ":d", ":s", "!r", "!s:>6", ":_", ":010,", ":.1", ":n", ":.0f", ":G", ": d", ":=+8"]


class Grammar:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, options):
        return self.random.choice(options)

    def chance(self, probability):
        return self.random.random() < probability

    def literal(self):
        kind = self.random.randrange(6)
        if kind == 0:
            return self.pick(INTEGERS)
        if kind == 1:
            return self.pick(FLOATS)
        if kind in (2, 3):
            return "'" + self.pick(STRINGS) + "'"
        return self.pick(["true", "false", "none", "[]", "{}", "()", "missing"])

    def text(self, depth):
        """An expression that is a string."""
        if depth <= 0:
            return self.pick(["'" + self.pick(STRINGS) + "'", "s", "uni", "html", "quote", "pad", "lines"])
        kind = self.random.randrange(6)
        inner = lambda: self.text(depth - 1)
        if kind == 0:
            return f"({inner()} {self.pick(['~', '+'])} {inner()})"
        if kind == 1:
            methods = ["upper()", "lower()", "title()", "capitalize()", "strip()", "lstrip('a ')", "rstrip()", "swapcase()", "center(9)", "zfill(8)", "replace('a', 'bb', 1)", "replace('', '-')", "split('a')[-1]", "split(' ')[0]", "partition('b')[2]", "removeprefix('a')", "casefold()", "expandtabs(3)", "ljust(6, '.')", "rsplit(' ', 1)[0]", "splitlines()[-1]"]
            return f"{inner()}.{self.pick(methods)}"
        if kind == 2:
            filters = ["upper", "lower", "title", "capitalize", "trim", "replace('a', 'b')", "indent(2)", "truncate(5)", "truncate(4, true, '.', 0)", "e", "reverse", "first", "last", "urlencode", "striptags", "tojson", "center(8)", "wordwrap(4)", "list | join('|')", "string", "default('d')"]
            return f"({inner()} | {self.pick(filters)})"
        if kind == 3:
            return f"{inner()}[{self.pick(['0', '-1', '1:', ':2', '::-1', '-3:', '1:5:2', ':-1', '9:', '3::-1'])}]"
        if kind == 4:
            return f"({self.row(depth - 1)} | map('string') | join({self.pick(['', repr(', ')])}))"
        return f"({inner()} if {self.truth(depth - 1)} else {inner()})"

    def number(self, depth):
        """An expression that is a number."""
        if depth <= 0:
            return self.pick(INTEGERS + FLOATS + ["n", "neg", "f", "true"])
        kind = self.random.randrange(6)
        inner = lambda: self.number(depth - 1)
        if kind < 2:
            return f"({inner()} {self.pick(['+', '-', '*', '/', '//', '%'])} {inner()})"
        if kind == 2:
            return f"({inner()} | {self.pick(['abs', 'round', 'round(1)', 'round(-1)', 'int', 'float', 'round(0, chr)', 'round(2, floor)']).replace('chr', repr('ceil')).replace('floor', repr('floor'))})"
        if kind == 3:
            return f"({self.text(depth - 1)} | {self.pick(['length', 'wordcount', 'int', 'float', 'int(7)', 'count'])})"
        if kind == 4:
            return f"{self.text(depth - 1)}.{self.pick(['find', 'rfind', 'count'])}('{self.pick(['a', 'l', '', 'o', 'é'])}')"
        return f"(-{inner()})"

    def row(self, depth):
        """An expression that is a list."""
        if depth <= 0:
            return self.pick(["l", "words", "[1, 'a', none]", "(1, 2, 3)", "range(4)", "nested", "[3, 1, 2]", "['b', 'A', 'c']", "users", "[]"])
        kind = self.random.randrange(5)
        if kind == 0:
            return "[" + ", ".join(self.any(depth - 1) for _ in range(self.random.randrange(1, 4))) + "]"
        if kind == 1:
            return f"({self.row(depth - 1)} | {self.pick(['list', 'reverse | list', 'unique | list', 'batch(2) | list', 'slice(2) | list', 'select | list', 'map(chr) | list', 'sort']).replace('chr', repr('string'))})"
        if kind == 2:
            return f"{self.text(depth - 1)}.{self.pick(['split()', 'split(chr)', 'splitlines()', 'rsplit(none, 1)', 'partition(chr)']).replace('chr', repr('a'))}"
        if kind == 3:
            return f"({self.row(depth - 1)} | list)[{self.pick(['1:', ':-1', '::-1', '-2:', '::2'])}]"
        return f"({self.row(depth - 1)} | list + {self.row(depth - 1)} | list)"

    def truth(self, depth):
        """An expression that is a boolean."""
        if depth <= 0:
            return self.pick(["t", "no", "true", "missing", "l", "nil", "n == 7", "'a' in s"])
        kind = self.random.randrange(5)
        if kind == 0:
            return f"({self.number(depth - 1)} {self.pick(['<', '<=', '>', '>=', '==', '!='])} {self.number(depth - 1)})"
        if kind == 1:
            return f"({self.any(depth - 1)} {self.pick(['==', '!='])} {self.any(depth - 1)})"
        if kind == 2:
            return f"({self.any(depth - 1)} is {self.pick(['', 'not '])}{self.pick(TESTS)})"
        if kind == 3:
            return f"({self.truth(depth - 1)} {self.pick(['and', 'or'])} {self.truth(depth - 1)})"
        return f"(not {self.truth(depth - 1)})"

    def any(self, depth):
        return self.pick([self.text, self.number, self.row, self.truth])(depth)

    def formatted(self, depth):
        kind = self.random.randrange(4)
        if kind == 0:
            return "('%" + self.pick(["s", "r", "5s", "-7s|", ".2s", "a"]) + "' % " + self.pick(["(" + self.any(depth) + ",)", self.text(depth)]) + ")"
        if kind == 1:
            return "('%" + self.pick(["d", "05d", "+d", ".2f", "e", "g", "G", "8.3f", "-8d|", "i", "% d", ".0f", "#g", ".10g", "x", "#o"]) + "' % " + self.number(depth) + ")"
        if kind == 2:
            return "'{" + self.pick(SPECS) + "}'.format(" + self.pick([self.number, self.text])(depth) + ")"
        return "'{0} {1!r:>8} {x}'.format(" + self.any(depth) + ", " + self.any(depth) + ", x=" + self.any(depth) + ")"

    def expression(self, depth):
        if self.chance(0.75):
            return self.formatted(depth - 1) if depth > 0 and self.chance(0.1) else self.any(depth)
        return self.wild(depth)

    def wild(self, depth):
        if depth <= 0:
            return self.literal() if self.chance(0.4) else self.pick(NAMES)
        kind = self.random.randrange(18)
        inner = lambda: self.expression(depth - 1)
        if kind < 3:
            return f"({inner()} {self.pick(BINARY)} {inner()})"
        if kind < 6:
            return f"{self.atom(depth)} | {self.pick(FILTERS)}"
        if kind < 9:
            return f"{self.atom(depth)}.{self.pick(METHODS)}"
        if kind == 9:
            return f"({inner()} is {self.pick(['', '', 'not '])}{self.pick(TESTS)})"
        if kind < 12:
            return f"{self.atom(depth)}[{self.pick(INDEXES)}]"
        if kind == 12:
            return f"({inner()} if {inner()} else {inner()})" if self.chance(0.8) else f"({inner()} if {inner()})"
        if kind == 13:
            return "[" + ", ".join(inner() for _ in range(self.random.randrange(4))) + "]"
        if kind == 14:
            return "{" + ", ".join(f"{self.literal()}: {inner()}" for _ in range(self.random.randrange(3))) + "}"
        if kind == 15:
            return f"(not {inner()})" if self.chance(0.6) else f"(-{inner()})"
        if kind == 16:
            if self.chance(0.5):
                return f"('{self.pick(FORMATS)}{self.pick(['', 'z'])}' % {self.pick(['(' + inner() + ',)', '(' + inner() + ', ' + inner() + ')', self.atom(depth)])})"
            return "'{" + self.pick(SPECS) + "}|'.format(" + inner() + ")"
        return "(" + ", ".join(inner() for _ in range(self.random.randrange(1, 4))) + ",)"

    def atom(self, depth):
        text = self.expression(depth - 1)
        return text if text[0] in "([{'" and text[-1] in ")]}'" or text.isidentifier() else f"({text})"

    def space(self):
        return self.pick(["", "", " ", "\n", "\n  ", "  \n", "\t", "x", "\r\n", "\n\n", "é "])

    def sign(self):
        return self.pick(["", "", "", "-", "+"])

    def tag(self, body):
        end = self.sign()
        return "{%" + self.sign() + " " + body + " " + end + "%}"

    def output(self, depth):
        return "{{" + self.pick(["", "", "-"]) + " " + self.expression(depth) + " " + self.pick(["", "", "-"]) + "}}"

    def loop_value(self):
        return "{{ loop." + self.pick(["index", "index0", "revindex", "first", "last", "length", "previtem", "nextitem", "depth", "cycle('a', 'b')", "changed(x)"]) + " }}"

    def body(self, depth, in_loop=False):
        return "".join(self.space() + self.statement(depth, in_loop) for _ in range(self.random.randrange(1, 4))) + self.space()

    def statement(self, depth, in_loop):
        if depth <= 0:
            return self.loop_value() if in_loop and self.chance(0.3) else self.output(1)
        kind = self.random.randrange(13)
        inner = lambda: self.body(depth - 1, in_loop)
        if kind < 2:
            return self.output(2)
        if kind < 4:
            otherwise = self.tag("else") + inner() if self.chance(0.3) else ""
            middle = self.tag("elif " + self.expression(1)) + inner() if self.chance(0.3) else ""
            return self.tag("if " + self.expression(1)) + inner() + middle + otherwise + self.tag("endif")
        if kind < 7:
            test = f" if {self.expression(1)}" if self.chance(0.2) else ""
            otherwise = self.tag("else") + self.body(depth - 1) if self.chance(0.2) else ""
            target = self.pick(["x", "x", "y", "x, y", "n"])
            items = self.pick(["l", "words", "users", "d", "d.items()", "range(3)", "nested", "messages", "s", "[]", "missing", "[[1, 2], (3, 4)]", "l | map('string')", self.expression(1)])
            return self.tag(f"for {target} in {items}{test}") + self.body(depth - 1, True) + otherwise + self.tag("endfor")
        if kind == 7:
            return self.tag(f"set {self.pick(['x', 'y', 'n', 's'])} = {self.expression(2)}")
        if kind == 8:
            return self.tag(f"set {self.pick(['x', 'y'])}{self.pick(['', ' | upper', ' | trim'])}") + inner() + self.tag("endset")
        if kind == 9:
            return self.tag(f"filter {self.pick(['upper', 'trim', 'indent(2)', 'replace(1, 2)'])}") + inner() + self.tag("endfilter")
        if kind == 10:
            name = self.pick(["f", "g"])
            call = "{{ " + name + "(" + self.pick(["", "1", "n, 2", "x=3", "l", "1, y=l"]) + ") }}"
            return self.tag(f"macro {name}({self.pick(['', 'x', 'x, y=2', 'x=n, y=x'])})") + self.body(depth - 1) + self.tag("endmacro") + call
        if kind == 11 and in_loop:
            return self.tag("if " + self.expression(1)) + self.tag(self.pick(["break", "continue"])) + self.tag("endif")
        if kind == 11:
            return self.tag(f"with {self.pick(['x', 'y', 'n'])} = {self.expression(1)}") + inner() + self.tag("endwith")
        return self.tag("set ns = namespace(a=1)") + self.tag("for x in " + self.pick(["l", "words", "range(2)"])) + self.tag(f"set ns.a = {self.expression(1)}") + self.tag("endfor") + "{{ ns.a }}"

    def snippet(self):
        return self.output(3) if self.chance(0.6) else self.body(self.random.randrange(1, 4))


def random_snippets(seed, count):
    grammar = Grammar(seed)
    return [grammar.snippet() for _ in range(count)]
