"""Ids that the tokenizers library gives to the added tokens of a tokenizer.json, whatever ids the file states.

Writes packages/runtime/src/__fixtures__/added-token-ids.json: random small vocabularies of all kinds of models, with and
without holes, and random added tokens.
"""

import json
import random
from pathlib import Path

from tokenizers import Tokenizer

OUT = Path(__file__).parents[2] / "packages/runtime/src/__fixtures__/added-token-ids.json"


def model_of(kind: str, words: list[str], ids: list[int]) -> dict:
    if kind == "Unigram":
        return {"type": kind, "unk_id": 0, "vocab": [[word, -1.0] for word in words]}
    more = {
        "BPE": {"merges": []},
        "WordLevel": {"unk_token": words[0]},
        "WordPiece": {
            "unk_token": words[0],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
        },
    }
    return {"type": kind, "vocab": dict(zip(words, ids)), **more[kind]}


def main() -> None:
    draw = random.Random(23)
    cases = []
    for _ in range(300):
        words = list("abcdefgh")[: draw.randint(1, 8)]
        ids = draw.sample(range(len(words) if draw.random() < 0.5 else 20), len(words))
        model = model_of(draw.choice(["BPE", "WordLevel", "WordPiece", "Unigram"]), words, ids)
        added = [
            {
                "id": draw.randint(0, 25),
                "content": draw.choice([*words, "x", "y", "z", "<image>", ""]),
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": draw.random() < 0.5,
                "special": draw.random() < 0.5,
            }
            for _ in range(draw.randint(0, 5))
        ]
        parts = ["normalizer", "pre_tokenizer", "post_processor", "decoder", "truncation", "padding"]
        text = {"version": "1.0", "added_tokens": added, "model": model, **dict.fromkeys(parts)}
        tokenizer = Tokenizer.from_str(json.dumps(text))
        names = [token["content"] for token in added]
        vocabulary = [[w, i] for i, w in enumerate(words)] if model["type"] == "Unigram" else list(model["vocab"].items())
        cases.append(
            {
                "vocabulary": vocabulary,
                "added": names,
                "ids": {name: tokenizer.token_to_id(name) for name in names if name},
            }
        )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
