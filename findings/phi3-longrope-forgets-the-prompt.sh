#!/usr/bin/env bash
# transformers 5.18.0 over torch 2.13.0: Phi3ForCausalLM with longrope drops its cache when a text grows beyond
# original_max_position_embeddings, so that all keys are turned by the long factors; but generate() still passes the last
# token only. From that step on the model answers without any of the text before. generate(use_cache=False) passes all of
# it, so the two part exactly there.
#
# Seen: with a border of 16 and a prompt of 12 tokens, the first 5 new tokens are equal and the others are not; the forward
# calls of the cached run get 12, 1, 1, 1, ... tokens, also at the step at which the cache was dropped.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet transformers==5.18.0 torch==2.13.0
"$work/venv/bin/python" - <<'PY'
import torch
from transformers import Phi3Config, Phi3ForCausalLM

torch.manual_seed(0)
border, prompt = 16, 12
rope = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0] * 4,
    "long_factor": [2.0] * 4,
    "original_max_position_embeddings": border,
}
config = Phi3Config(
    vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, original_max_position_embeddings=border,
    pad_token_id=0, bos_token_id=1, eos_token_id=None, rope_parameters=rope, attn_implementation="eager",
)
model = Phi3ForCausalLM(config).eval()
with torch.no_grad():
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.normal_(0, 0.3)
ids = torch.arange(2, 2 + prompt).unsqueeze(0)
lengths = []
forward = model.forward


def watched(*args, **given):
    lengths.append(given["input_ids"].shape[1])
    return forward(*args, **given)


model.forward = watched
answers = [
    model.generate(ids, max_new_tokens=16, do_sample=False, use_cache=cached)[0, prompt:].tolist()
    for cached in (True, False)
]
first = next(i for i, (a, b) in enumerate(zip(*answers)) if a != b)
print("cached  ", answers[0], "\nuncached", answers[1], "\ntokens of each cached step", lengths[:8])
assert first == border + 1 - prompt and lengths[:8] == [prompt] + [1] * 7, "changed"
PY
