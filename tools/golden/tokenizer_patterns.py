"""Makes `packages/text/src/__fixtures__/patterns.json`: what Oniguruma, as Python's `tokenizers` uses it, finds with
published and with random patterns in the texts of `tokenizer_corpus.py`.

Run after a build: python tools/golden/tokenizer_patterns.py (tokenizers 0.23).
"""

import json
import random
import subprocess
from pathlib import Path

import tokenizers
from tokenizers import Regex, pre_tokenizers

from tokenizer_corpus import POOLS, text_of

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "packages/text/src/__fixtures__/patterns.json"
RANDOM, FLAGGED, TEXTS = 400, 100, 3

ATOMS = r"""a b x é Σ σ s k \d \s \w \S \W \D \h \p{L} \p{Lu} \p{N} \P{L} \p{Han} \p{Alnum} \p{^Ll} [a-z] [^a-z] [[:alpha:]]
[[:punct:]] [^[:space:]] [\w&&[^a-f]] . [.,!?] (?i:k) (?i:s) (?i:σ) (?i:[a-cx-zσ]) (?i:[^a-m]) \n ' [\]a] []a] [a\-z] \x41
[\x{3b1}-\x{3c9}] \t \u0041 \R [^\P{L}] [[a-z][α-ω]] [a-z&&[^aeiou]&&\w]""".split() + [" "]
REPEATS = ["*", "+", "?", "*?", "+?", "??", "++", "*+", "?+", "{2}", "{1,3}", "{2,}", "{,2}", "{1,2}?", "{2}?", "{1,2}+"]
LOOKS = ["(?=", "(?!", "(?<=", "(?<!", "(?>"]
ANCHORS = ["^", "$", r"\b", r"\B", r"\A", r"\z", r"\Z"]


def pattern_of(rng, depth):
    kind = rng.random()
    if depth == 0 or kind < 0.35:
        return rng.choice(ATOMS)
    part = lambda: pattern_of(rng, depth - 1)
    if kind < 0.6:
        return part() + part()
    if kind < 0.72:
        return f"(?:{part()}|{part()})"
    if kind < 0.9:
        return f"(?:{part()}){rng.choice(REPEATS)}"
    if kind < 0.97:
        return f"{rng.choice(LOOKS)}{rng.choice(ATOMS)}){part()}"
    return rng.choice(ANCHORS) + part()


def answers(pattern, seeds):
    """Of each text the offsets, in characters, of what lies between matches, and of the pieces between and within."""
    removed, isolated = (pre_tokenizers.Split(Regex(pattern), behavior) for behavior in ("removed", "isolated"))
    texts = [text_of(list(POOLS.values()), seed) for seed in seeds]
    flat = lambda pieces: [offset for _, offsets in pieces for offset in offsets]
    return [[seed, flat(removed.pre_tokenize_str(text)), flat(isolated.pre_tokenize_str(text))] for seed, text in zip(seeds, texts)]


def is_pattern(pattern):
    try:
        pre_tokenizers.Split(Regex(pattern), "removed")
        return True
    except Exception:
        return False


def main():
    rng = random.Random(11)
    script = "import { publishedPatterns } from './packages/text/dist/pattern/published.js'; console.log(JSON.stringify([...publishedPatterns]))"
    published = json.loads(subprocess.run(["node", "--input-type=module", "-e", script], cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    drawn = []
    while len(drawn) < RANDOM + FLAGGED:
        pattern = "|".join(pattern_of(rng, 3) for _ in range(rng.randint(1, 3)))
        if len(drawn) >= RANDOM:
            pattern = rng.choice(["(?i)", "(?m)", "(?x) ", "a(?i)b|", "(?mi)", "(?i-m:σ)|", "(?im-x)"]) + pattern
        if is_pattern(pattern):
            drawn.append(pattern)
    cases = [[pattern, answers(pattern, [rng.randrange(20_000) for _ in range(40 if pattern in published else TEXTS)])] for pattern in published + drawn]
    OUT.write_text(json.dumps(dict(madeBy="tools/golden/tokenizer_patterns.py", tokenizersVersion=tokenizers.__version__, published=len(published), cases=cases), ensure_ascii=False, separators=(",", ":")))
    print(len(cases), OUT.stat().st_size)


if __name__ == "__main__":
    main()
