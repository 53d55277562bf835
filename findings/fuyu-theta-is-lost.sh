#!/usr/bin/env bash
# transformers 5.18.0: FuyuConfig says that its rotary base is 25000, and takes a rope_theta of its own, as the flat
# files of earlier versions state it; but the text model that it builds from its own fields gets neither. The nested
# configuration is made from `rope_parameters` while that field still holds what was passed, before class default and
# rope_theta were merged into it. Only rope_parameters in full arrives. So a flat config.json with rope_theta loads
# without a warning and runs with 10000.
#
# Seen: defaults 25000 -> 10000; rope_theta=12345 -> 10000; rope_parameters 12345 -> 12345.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet transformers==5.18.0 torch==2.13.0
"$work/venv/bin/python" - <<'PY'
from transformers import FuyuConfig

rope = {"rope_type": "default", "partial_rotary_factor": 0.5}
cases = [({}, 25000, 10000), ({"rope_theta": 12345.0}, 12345, 10000), ({"rope_parameters": rope | {"rope_theta": 12345.0}}, 12345, 12345)]
for given, own, text in cases:
    config = FuyuConfig(**given)
    found = config.rope_parameters["rope_theta"], config.text_config.rope_parameters["rope_theta"]
    print(given, "-> Fuyu", found[0], "text model", found[1])
    assert found == (own, text), f"changed: expected {(own, text)}"
PY
