#!/usr/bin/env bash
# tokenizers 0.23.2: the ids that tokenizer.json states for added tokens are not read. Those that the vocabulary lacks are
# numbered from the number of its entries on, in their order. Where a vocabulary has a hole, that number may be an id that a
# word has already: two texts then share one id, and decoding gives the added token for both. No error and no warning.
#
# Seen: an added token stated as 9 over a vocabulary of ids 0, 1, 2 gets 3; over one of ids 0, 1, 3 it gets 3, too, which is
# the word "d", and id 3 decodes to "<image>".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet tokenizers==0.23.2
"$work/venv/bin/python" - <<'PY'
import json

from tokenizers import Tokenizer
from tokenizers.models import WordLevel

flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
image = {"id": 9, "content": "<image>", "special": True} | flags


def opened(vocabulary):
    state = json.loads(Tokenizer(WordLevel(vocabulary, unk_token="a")).to_str())
    state["added_tokens"] = [image]
    return Tokenizer.from_str(json.dumps(state))


whole = opened({"a": 0, "b": 1, "c": 2})
print("ids 0, 1, 2: <image> is", whole.token_to_id("<image>"))
assert whole.encode("<image>").ids == [3], "changed"
holed = opened({"a": 0, "b": 1, "d": 3})
print("ids 0, 1, 3: <image> is", holed.token_to_id("<image>"), "and d is", holed.token_to_id("d"))
assert holed.encode("<image>").ids == holed.encode("d").ids == [3], "changed"
assert holed.decode([3], skip_special_tokens=False) == "<image>", "changed"
PY
