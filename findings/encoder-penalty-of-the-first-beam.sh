#!/usr/bin/env bash
# transformers 5.18.0 over torch 2.13.0: encoder_repetition_penalty of a decoder-only model goes by the ids of the prompt,
# which the processor keeps as one row for each prompt. Beam search scores as many rows as there are beams, and the scatter
# over the shorter index reaches the first row only: the other beams of a prompt are not penalised, so which beam a
# hypothesis stands in changes its score. No error and no warning.
#
# Seen: three rows of ones over the prompt [3, 5], penalty 2: the first row gets 2 at tokens 3 and 5, the others stay 1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet transformers==5.18.0 torch==2.13.0
"$work/venv/bin/python" - <<'PY'
import torch
from transformers.generation.logits_process import EncoderRepetitionPenaltyLogitsProcessor

process = EncoderRepetitionPenaltyLogitsProcessor(penalty=2.0, encoder_input_ids=torch.tensor([[3, 5]]))
scores = process(torch.zeros(3, 1, dtype=torch.long), torch.ones(3, 8))
print(scores)
expected = torch.ones(3, 8)
expected[0, [3, 5]] = 2
assert torch.equal(scores, expected), "changed"
PY
