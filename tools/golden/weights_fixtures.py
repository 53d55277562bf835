"""Writes the fixtures of packages/weights with the reference implementation.

Run: python tools/golden/weights_fixtures.py
Made with torch 2.13.0, safetensors 0.8.0, huggingface_hub 1.33.0, numpy of the same environment.
"""

import base64
import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import torch
from huggingface_hub import save_torch_state_dict
from safetensors.torch import load, save_file

OUT = Path(__file__).resolve().parents[2] / "packages" / "weights" / "src" / "__fixtures__"


def bits32(values):
    """float32 tensor from bit patterns."""
    return torch.from_numpy(np.array(values, dtype=np.uint32).view(np.float32).copy())


def as_float32(tensor):
    """What torch makes of the tensor in single precision, as base64 of little-endian bytes."""
    values = tensor.to(torch.float32).contiguous().numpy()
    return base64.b64encode(values.tobytes()).decode()


def every_dtype():
    """One tensor per dtype with an odd number of elements, a scalar, an empty one, and names that need escapes."""
    generator = torch.Generator().manual_seed(11)
    wide = [0, -1, 2**24 + 1, 2**53 + 1, 2**62 + 2**38 + 1, -(2**62) - 2**38 - 1, 2**63 - 1, -(2**63)]
    return {
        "z.u8": torch.tensor([1, 255, 7], dtype=torch.uint8),
        "half": torch.tensor([1.5, -2.0, 65504.0, 2**-24, float("inf")], dtype=torch.float16),
        "brain": torch.tensor([1.5, -3.140625, 3e38, 1e-40, float("-inf")], dtype=torch.bfloat16),
        "single": torch.randn(3, 5, generator=generator),
        "double": torch.randn(3, generator=generator, dtype=torch.float64),
        "i64": torch.tensor(wide, dtype=torch.int64),
        "u64": torch.tensor([0, 2**24 + 1, 2**63 - 1], dtype=torch.int64).to(torch.uint64),
        "i32": torch.tensor([-(2**31), 2**31 - 1, 2**24 + 1], dtype=torch.int32),
        "u32": torch.tensor([2**32 - 1, 2**24 + 3], dtype=torch.int64).to(torch.uint32),
        "i16": torch.tensor([-32768, 32767, 5], dtype=torch.int16),
        "u16": torch.tensor([65535, 5], dtype=torch.int32).to(torch.uint16),
        "i8": torch.tensor([-128, 127, 5], dtype=torch.int8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(0.1),
        "empty": torch.zeros(0, 3),
        "10": torch.ones(1),
        "9": torch.zeros(1),
        'quote " backslash \\ tab \t bell \x07 delete \x7f': torch.ones(1),
        "é": torch.ones(1),
        "\uffee": torch.ones(1),
        "\U0001f600": torch.ones(1),
    }


def rounding_values():
    """Bit patterns where rounding to half or bfloat16 is decided: ties, neighbours of ties, limits, subnormals."""
    patterns = [0x00000000, 0x80000000, 0x7F800000, 0xFF800000, 0x00000001, 0x007FFFFF, 0x7F7FFFFF]
    for exponent in [1, 100, 101, 102, 103, 104, 107, 110, 111, 112, 113, 114, 126, 127, 128, 140, 141, 142, 143, 254]:
        for fraction in [0, 1, 0xFFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x3001, 0x7FFF, 0x8000, 0x8001,
                         0x17FFF, 0x18000, 0x18001, 0x3FFFFF, 0x400000, 0x400001, 0x7FEFFF, 0x7FF000, 0x7FFFFF]:
            for sign in [0, 1]:
                patterns.append(sign << 31 | exponent << 23 | fraction)
    random = np.random.default_rng(5).integers(0, 2**32, 3000, dtype=np.uint64)
    patterns += [int(p) for p in random if (int(p) & 0x7FFFFFFF) <= 0x7F800000]
    return bits32(patterns)


def half_table_digest():
    """SHA-256 of the single precision values of all 65536 half patterns, NaN written as zero."""
    table = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)
    table[np.isnan(table)] = 0
    return hashlib.sha256(table.tobytes()).hexdigest()


def odd_offsets():
    """A file whose wide tensors begin at odd offsets: legal, though the reference does not write it."""
    tensors = [("byte", "U8", [1], b"\x07")]
    tensors.append(("half", "F16", [3], np.array([1.5, -2, 0.1], dtype=np.float16).tobytes()))
    tensors.append(("single", "F32", [2], np.array([1.5, -0.1], dtype=np.float32).tobytes()))
    tensors.append(("double", "F64", [2], np.array([1.5, -0.1]).tobytes()))
    tensors.append(("long", "I64", [2], np.array([-5, 2**40]).tobytes()))
    tensors.append(("brain", "BF16", [1], struct.pack("<H", 0xBFC0)))
    header, data = {}, b""
    for name, dtype, shape, raw in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    tensors = every_dtype()
    save_file(tensors, OUT / "every-dtype.safetensors", metadata={"format": "pt"})
    values = rounding_values()
    rounding = {"single": values, "half": values.to(torch.float16), "brain": values.to(torch.bfloat16)}
    save_file(rounding, OUT / "rounding.safetensors")
    odd = odd_offsets()
    (OUT / "odd-offsets.safetensors").write_bytes(odd)
    sharded = OUT / "sharded"
    sharded.mkdir(exist_ok=True)
    state = {name: tensors[name] for name in ["z.u8", "single", "half", "i64", "brain", "scalar", "i8"]}
    save_torch_state_dict(state, sharded, max_shard_size=20)
    expected = {
        "everyDtype": {name: as_float32(tensor) for name, tensor in tensors.items()},
        "oddOffsets": {name: as_float32(tensor) for name, tensor in load(odd).items()},
        "halfTableSha256": half_table_digest(),
    }
    (OUT / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main()
