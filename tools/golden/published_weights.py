"""Matrices as published quantizers pack them, with the numbers that they stand for.

The packers and the arithmetic below are written from the layouts' documentation, in NumPy and torch, apart from the
TypeScript code: none of the libraries is needed.

    python published_weights.py ../../packages/quantize/__fixtures__/published.json
"""

import base64
import json
import sys

import numpy as np
import torch

random = np.random.default_rng(41)
NAMES = {"float16": "F16", "float32": "F32", "int32": "I32", "uint8": "U8", "int8": "I8"}


def piece(array, dtype=None):
    array = np.ascontiguousarray(array)
    return {
        "dtype": dtype or NAMES[str(array.dtype)],
        "shape": list(array.shape),
        "data": base64.b64encode(array.tobytes()).decode(),
    }


def case(form, values, **pieces):
    values = np.ascontiguousarray(values, dtype=np.float32)
    return {
        "form": form,
        "shape": list(values.shape),
        "pieces": pieces,
        "values": base64.b64encode(values.tobytes()).decode(),
    }


def pack(numbers, bits, axis):
    """Whole numbers along an axis, the first in the lowest bits of an int32."""
    numbers = np.moveaxis(numbers.astype(np.uint32), axis, 0)
    count = 32 // bits
    pad = -len(numbers) % count
    numbers = np.concatenate([numbers, np.zeros((pad, *numbers.shape[1:]), np.uint32)])
    words = np.zeros((len(numbers) // count, *numbers.shape[1:]), np.uint32)
    for i in range(count):
        words |= numbers[i::count] << np.uint32(i * bits)
    return np.moveaxis(words, 0, axis).view(np.int32)


def gptq(bits, rows, columns, group, shift, acts):
    groups = -(-columns // group)
    q = random.integers(0, 2**bits, (columns, rows))
    stored = random.integers(0, 2**bits - shift, (groups, rows))
    scales = (random.random((groups, rows)) * 0.1).astype(np.float16)
    index = np.arange(columns) // group
    if acts:
        random.shuffle(index)
    values = scales.astype(np.float32)[index] * (q - (stored + shift)[index]).astype(np.float32)
    pieces = {"qweight": piece(pack(q, bits, 0)), "qzeros": piece(pack(stored, bits, 1)), "scales": piece(scales)}
    if acts:
        pieces["g_idx"] = piece(index.astype(np.int32))
    return case({"kind": "gptq", "bits": bits, "groupSize": group, "zeroShift": shift}, values.T, **pieces)


def awq(rows, columns, group):
    groups = -(-columns // group)
    order = [0, 2, 4, 6, 1, 3, 5, 7]

    def packed(numbers):
        words = np.zeros((numbers.shape[0], numbers.shape[1] // 8), np.uint32)
        for word in range(words.shape[1]):
            for i in range(8):
                words[:, word] |= numbers[:, word * 8 + order[i]].astype(np.uint32) << np.uint32(4 * i)
        return words.view(np.int32)

    q = random.integers(0, 16, (columns, rows))
    zeros = random.integers(0, 16, (groups, rows))
    scales = (random.random((groups, rows)) * 0.1).astype(np.float16)
    index = np.arange(columns) // group
    values = scales.astype(np.float32)[index] * (q - zeros[index]).astype(np.float32)
    return case(
        {"kind": "awq", "groupSize": group}, values.T,
        qweight=piece(packed(q)), qzeros=piece(packed(zeros)), scales=piece(scales),
    )


def bnb_4bit(rows, columns, block, nested):
    numbers = random.integers(0, 16, rows * columns)
    table = np.sort(random.standard_normal(16)).astype(np.float32)
    padded = np.append(numbers, np.zeros(len(numbers) % 2, numbers.dtype))
    weight = (padded[0::2] << 4 | padded[1::2]).astype(np.uint8).reshape(-1, 1)
    blocks = -(-len(numbers) // block)
    state = {"quant_type": "nf4", "blocksize": block, "dtype": "float16", "shape": [rows, columns]}
    if nested:
        codes = random.integers(0, 256, blocks).astype(np.uint8)
        nested_table = np.sort(random.standard_normal(256)).astype(np.float32)
        nested_largest = random.random(-(-blocks // 8)).astype(np.float32)
        offset = np.float32(0.25)
        largest = nested_table[codes] * nested_largest[np.arange(blocks) // 8] + offset
        state |= {"nested_blocksize": 8, "nested_dtype": "float32", "nested_offset": float(offset)}
        pieces = {
            "absmax": piece(codes), "nested_quant_map": piece(nested_table), "nested_absmax": piece(nested_largest),
        }
    else:
        largest = random.random(blocks).astype(np.float32)
        pieces = {"absmax": piece(largest)}
    values = table[numbers] * largest[np.arange(len(numbers)) // block]
    pieces["quant_state"] = piece(np.frombuffer(json.dumps(state).encode(), np.uint8))
    return case({"kind": "bnb-4bit"}, values.reshape(rows, columns), weight=piece(weight), quant_map=piece(table), **pieces)


def bnb_int8(rows, columns):
    weight = random.integers(-127, 128, (rows, columns)).astype(np.int8)
    scb = random.random(rows).astype(np.float32)
    values = weight.astype(np.float32) * (scb * np.float32(1 / 127))[:, None]
    return case({"kind": "bnb-int8"}, values, weight=piece(weight), SCB=piece(scb))


def scaled(rows, columns, block, dtype):
    scales = random.random((-(-rows // block[0]), -(-columns // block[1]))).astype(np.float32)
    if dtype == "I8":
        weight = random.integers(-128, 128, (rows, columns)).astype(np.int8)
        numbers = weight.astype(np.float32)
    else:
        kind = {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}[dtype]
        weight = random.integers(0, 256, (rows, columns)).astype(np.uint8)
        numbers = torch.from_numpy(weight).view(kind).float().numpy()
        # No numbers and infinities stand in no weight.
        weight[~np.isfinite(numbers)] = 7
        numbers = torch.from_numpy(weight).view(kind).float().numpy()
    full = scales.repeat(block[0], 0)[:rows].repeat(block[1], 1)[:, :columns]
    return case({"kind": "scaled", "block": block}, numbers * full, weight=piece(weight, dtype), scale=piece(scales))


def packed(bits, rows, columns, group, symmetric):
    groups = -(-columns // group)
    q = random.integers(0, 2**bits, (rows, columns))
    scales = (random.random((rows, groups)) * 0.1).astype(np.float16)
    zeros = np.full((rows, groups), 2 ** (bits - 1)) if symmetric else random.integers(0, 2**bits, (rows, groups))
    index = np.arange(columns) // group
    values = scales.astype(np.float32)[:, index] * (q - zeros[:, index]).astype(np.float32)
    pieces = {"weight": piece(pack(q, bits, 1)), "scale": piece(scales)}
    if not symmetric:
        pieces["zero_point"] = piece(pack(zeros, bits, 0))
    return case({"kind": "packed", "bits": bits, "groupSize": group}, values, **pieces)


def main(out):
    cases = [
        gptq(4, 24, 48, 16, 1, False), gptq(4, 16, 40, 16, 1, True), gptq(8, 12, 32, 32, 0, False),
        gptq(8, 8, 20, 16, 1, False), awq(16, 48, 16), awq(24, 40, 32),
        bnb_4bit(5, 33, 16, False), bnb_4bit(6, 40, 8, True), bnb_int8(7, 13),
        scaled(9, 21, [4, 8], "F8_E4M3"), scaled(5, 16, [1, 16], "F8_E5M2"), scaled(6, 10, [6, 10], "F8_E4M3"),
        scaled(4, 9, [1, 9], "I8"), packed(4, 10, 24, 8, True), packed(4, 11, 20, 8, False), packed(8, 5, 14, 14, True),
    ]
    with open(out, "w") as file:
        json.dump(cases, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
