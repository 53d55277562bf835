"""Writes what Jinja2 with the settings of transformers makes of snippets and of chat templates.

    .venv/bin/python jinja.py              # the fixtures of packages/jinja
    .venv/bin/python jinja.py --seed 7 --count 5000 --out FILE   # random snippets, for a longer comparison

Answers are rendered texts, or null where an exception is raised, with its name.
"""

import argparse
import copy
import json
import re
import warnings
from pathlib import Path

import jinja2
from jinja_random import random_snippets
from jinja_snippets import VALUES, snippets
from transformers.utils.chat_template_utils import _cached_compile_jinja_template

FIXTURES = Path(__file__).parents[2] / "packages/jinja/src/__fixtures__"

TEXT = {"type": "text", "text": "What is\nin the picture?"}
CALL = {"id": "abcdefgh1", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Köln", "days": 2, "exact": True}}}
TOOLS = VALUES["tools"] + [
    {"type": "function", "function": {"name": "now", "description": "Tells the time.", "parameters": {"type": "object", "properties": {}, "required": []}}}
]

# Each with what else is given to the template.
CONVERSATIONS = {
    "question": {"messages": [{"role": "user", "content": " Who are you?\n"}]},
    "system": {"messages": [{"role": "system", "content": "Be brief.\n"}, {"role": "user", "content": "Hi — \"there\" 😀"}]},
    "turns": {
        "messages": [
            {"role": "system", "content": "You help."},
            {"role": "user", "content": "1 + 1?"},
            {"role": "assistant", "content": "<think>\neasy\n</think>\n\n2"},
            {"role": "user", "content": "Sure?  "},
            {"role": "assistant", "content": "Yes <b>."},
        ]
    },
    "wrong order": {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]},
    "unknown role": {"messages": [{"role": "narrator", "content": "Once"}, {"role": "user", "content": "b"}]},
    "picture": {"messages": [{"role": "user", "content": [{"type": "image"}, TEXT]}]},
    "pictures in turns": {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Look."}]},
            {"role": "user", "content": [TEXT, {"type": "image"}, {"type": "image"}, {"type": "text", "text": " And here? "}]},
            {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]},
            {"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "Now?"}]},
        ],
        "add_vision_id": True,
    },
    "tools": {
        "messages": [
            {"role": "system", "content": "Use tools."},
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "content": "{\"t\": 21.5}", "tool_call_id": "abcdefgh1"},
            {"role": "assistant", "content": "It is warm."},
        ],
        "tools": TOOLS,
    },
    "tools offered": {
        "messages": [{"role": "user", "content": "Weather?"}],
        "tools": TOOLS,
        "documents": [{"title": "A", "text": "Text of A."}],
        "controls": {"length": "short", "citations": True},
        "enable_thinking": False,
    },
}

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def render(template, variables):
    """The text, and None or the name of the exception."""
    try:
        text = _cached_compile_jinja_template(template).render(**copy.deepcopy(variables))
        # Lone surrogates, which some snippets make, cannot be written.
        text.encode()
        return text, None
    except Exception as error:
        return None, type(error).__name__


def cases(templates):
    """Snippets with their answers, but those that print places in memory."""
    result = []
    for template in templates:
        text, error = render(template, VALUES)
        if error is not None:
            result.append([template, None, error])
        elif not re.search(r" at 0x[0-9a-f]+", text):
            result.append([template, text])
    return result


def stored_random():
    """Random snippets that are short and mostly render."""
    chosen = []
    errors = 0
    for case in cases(random_snippets(2026, 6000)):
        if len(case[0]) > 220 or len(case[1] or "") > 300:
            continue
        if case[1] is None:
            errors += 1
            if errors > 300:
                continue
        chosen.append(case)
    return chosen[:2000]


def conversations():
    answers = {}
    for file in sorted((FIXTURES / "templates").glob("*.jinja")):
        template = file.read_bytes().decode()
        answers[file.stem] = {
            name: [
                render(template, {**TOKENS, "tools": None, "documents": None, **given, "add_generation_prompt": prompted})[0]
                for prompted in (False, True)
            ]
            for name, given in CONVERSATIONS.items()
        }
    return {"tokens": TOKENS, "conversations": CONVERSATIONS, "answers": answers}


def write(file, value):
    # One row for each case, so that a change is seen.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    Path(file).write_text(text.replace('],["', '],\n["') + "\n", encoding="utf8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--out")
    options = parser.parse_args()
    assert jinja2.__version__ == "3.1.6", jinja2.__version__
    warnings.simplefilter("ignore")
    if options.seed is not None:
        write(options.out, {"values": VALUES, "cases": cases(random_snippets(options.seed, options.count))})
        return
    write(FIXTURES / "snippets.json", {"values": VALUES, "cases": cases(snippets())})
    write(FIXTURES / "random.json", {"values": VALUES, "cases": stored_random()})
    write(FIXTURES / "conversations.json", conversations())


if __name__ == "__main__":
    main()
