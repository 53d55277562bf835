"""Blocks of every GGUF type that Weft reads, with the numbers that gguf-py gives for them.

    pip install gguf==0.19.0
    python gguf_blocks.py ../../packages/quantize/__fixtures__/gguf-blocks.json
"""

import base64
import json
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
# Where the float16 of a block lie: random bits there could be infinite.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}


def main(out: str) -> None:
    random = np.random.default_rng(19)
    cases = []
    for name in TYPES:
        kind = GGMLQuantizationType[name]
        size, width = GGML_QUANT_SIZES[kind]
        if size == 1:
            numbers = random.standard_normal(64).astype(np.float32)
            data = {
                "F32": lambda: numbers.view(np.uint8),
                "F16": lambda: numbers.astype(np.float16).view(np.uint8),
                "BF16": lambda: (numbers.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8),
            }[name]()
        else:
            blocks = random.integers(0, 256, (4, width), dtype=np.uint8)
            for at in HALVES[name]:
                blocks[:, at : at + 2] = random.standard_normal(4).astype(np.float16).view(np.uint8).reshape(4, 2)
            data = blocks.reshape(-1)
        values = dequantize(data, kind).astype(np.float32).reshape(-1)
        cases.append({
            "name": name,
            "type": int(kind),
            "data": base64.b64encode(data.tobytes()).decode(),
            "values": base64.b64encode(values.tobytes()).decode(),
        })
    with open(out, "w") as file:
        json.dump(cases, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
