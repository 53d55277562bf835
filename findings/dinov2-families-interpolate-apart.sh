#!/usr/bin/env bash
# transformers 5.18.0 over torch 2.13.0: the classes Dinov2Model and Dinov2WithRegistersModel, one architecture but for
# the register tokens, fit the table of positions to pictures of another size in different ways: the class with
# registers passes antialias=True to interpolate, the other does not. That is not a matter of small pictures only:
# with antialiasing torch's bicubic filter has another coefficient as well (-0.5, as Pillow; -0.75 without), so the same
# weights (without registers, which both classes allow) see a picture above the size of the table differently, too.
#
# Seen: largest difference of the embeddings, table of standard deviation 1: 0 at the table's size, 0.32 at one and a
# half times, 1.8 at two fifths of it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet transformers==5.18.0 torch==2.13.0
"$work/venv/bin/python" - <<'PY'
import torch
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

torch.manual_seed(0)
sizes = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=70, patch_size=7)
plain = Dinov2Model(Dinov2Config(**sizes)).eval()
other = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**sizes, num_register_tokens=0)).eval()
with torch.no_grad():
    plain.embeddings.position_embeddings.normal_()
    shared = plain.embeddings.state_dict()
    other.embeddings.load_state_dict({**other.embeddings.state_dict(), **shared})
    found = {}
    for side in (70, 105, 28):
        pixels = torch.randn(1, 3, side, side)
        found[side] = (plain.embeddings(pixels) - other.embeddings(pixels)).abs().max().item()
        print(f"{side} pixels, table of 70: largest difference {found[side]:.2g}")
assert found[70] == 0 and 0.1 < found[105] < 0.6 and found[28] > 1, "changed"
PY
