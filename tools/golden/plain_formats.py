"""Writes small GIF, BMP, PBM, PGM, PPM and float TIFF files of all kinds, and what Pillow makes of them.

Run from anywhere: python tools/golden/plain_formats.py
"""

import base64
import hashlib
import io
import json
import struct
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

TARGET = Path(__file__).resolve().parents[2] / "packages/image/src/__fixtures__/plain.json"
MASKS = {
    16: [(0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0)],
    24: [(0xFF0000, 0xFF00, 0xFF, 0)],
    32: [
        (0xFF0000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF0000, 0xFF00, 0), (0xFF000000, 0xFF00, 0xFF, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000, 0xFF000000), (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        (0xFF000000, 0xFF00, 0xFF, 0xFF0000), (0, 0, 0, 0), (1, 2, 4, 8),
    ],
}  # fmt: skip


def noise(draw, count):
    return bytes(draw.randrange(256) for _ in range(count))


def lzw(indices, bits):
    """Indices as codes that never refer to others: the table is cleared before it grows."""
    clear, held, count, written = 1 << bits, 0, 0, bytearray()

    def put(code):
        nonlocal held, count
        held |= code << count
        count += bits + 1
        while count >= 8:
            written.append(held & 255)
            held >>= 8
            count -= 8

    for i, index in enumerate(indices):
        if i % (clear - 3) == 0:
            put(clear)
        put(index)
    put(clear + 1)
    if count:
        written.append(held & 255)
    blocks = (written[i : i + 255] for i in range(0, len(written), 255))
    return bytes([bits]) + b"".join(bytes([len(block)]) + bytes(block) for block in blocks) + b"\0"


def gif(draw):
    """Frames smaller and larger than the canvas; tables of the file, of the frame or none; with and without a transparent index."""
    if draw.random() < 0.3:
        width, height = draw.randint(1, 40), draw.randint(1, 30)
        image = Image.new("P", (width, height))
        image.putpalette(noise(draw, 768))
        image.putdata([draw.randrange(256) if draw.random() < 0.4 else 3 for _ in range(width * height)])
        buffer = io.BytesIO()
        options = {"transparency": draw.randrange(256)} if draw.random() < 0.5 else {}
        image.save(buffer, "GIF", interlace=draw.random() < 0.5, optimize=False, **options)
        return buffer.getvalue()
    width, height, bits = draw.randint(1, 20), draw.randint(1, 20), draw.choice([2, 3, 4])
    table = draw.choice([bits, bits, bits - 1])
    own_width, own_height = draw.randint(1, width), draw.randint(1, height)
    left, top = draw.randint(0, width - own_width), draw.randint(0, height - own_height)
    if draw.random() < 0.1:
        own_width, own_height = own_width + 3, own_height + 2
    has_table, has_own = draw.random() < 0.75, draw.random() < 0.4
    data = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80 * has_table | 0x70 | (table - 1), draw.randrange(1 << table), 0)
    data += noise(draw, 3 << table) if has_table else b""
    if draw.random() < 0.8:
        data += b"\x21\xf9\x04" + bytes([(draw.random() < 0.5) | draw.randrange(4) << 2, 5, 0, draw.randrange(1 << bits), 0])
    if draw.random() < 0.2:
        data += b"\x21\xfe\x03any\0"
    flags = 0x40 * (draw.random() < 0.3) | (0x80 | (bits - 1)) * has_own
    data += b"\x2c" + struct.pack("<HHHHB", left, top, own_width, own_height, flags)
    data += noise(draw, 3 << bits) if has_own else b""
    return data + lzw([draw.randrange(1 << bits) for _ in range(own_width * own_height)], bits) + b"\x3b"


def runs(draw, width, height, is_half, start):
    """Run-length encoded rows; some leave their row, some jump."""
    data = bytearray()
    for _ in range(height):
        x = 0
        while x < width:
            kind = draw.random()
            if kind < 0.5:
                count = draw.randint(1, min(width - x + (draw.random() < 0.1), 255))
                data += bytes([count, draw.randrange(256)])
                x += count
            elif kind < 0.7 and width - x >= 4:
                count = draw.randint(3, width - x)
                if is_half and draw.random() < 0.9:
                    count = max(4, count & ~1)
                data += bytes([0, count]) + noise(draw, (count + 1) // 2 if is_half else count)
                if (start + len(data)) % 2:
                    data += b"\0"
                x += count
            elif kind < 0.72:
                data += bytes([0, 2, draw.randint(0, 2), draw.randint(0, 1)])
                break
            else:
                break
        data += b"\0\0"
    return bytes(data) + b"\0\1"


def bmp(draw):
    """All depths, headers and masks that Pillow knows, and some that it refuses."""
    width, height, bits = draw.randint(1, 23), draw.randint(1, 17), draw.choice([1, 4, 8, 16, 24, 32])
    length = 12 if draw.random() < 0.2 else draw.choice([40, 40, 52, 56, 64, 108, 124])
    way = 0
    if length > 12 and draw.random() < 0.5:
        way = {8: 1, 4: 2, 16: 3, 24: 3, 32: 3}.get(bits, 0)
    is_top_down = length > 12 and way in (0, 3) and draw.random() < 0.3
    masks = struct.pack("<4I", *draw.choice(MASKS[bits])) if way == 3 else b""
    colours, stated = (1 << bits if bits <= 8 else 0), 0
    if bits <= 8 and length > 12 and draw.random() < 0.3:
        colours = stated = draw.randint(1, 1 << bits)
    if length == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        tall = 2**32 - height if is_top_down else height
        head = struct.pack("<3I2H6I", length, width, tall, 1, bits, way, 0, 2835, 2835, stated, 0)
        head = (head + (masks if length > 40 else b"")).ljust(length, b"\0")[:length]
        head += masks[:12] if length == 40 else b""
    table = b"".join(noise(draw, 3) + (b"" if length == 12 else b"\0") for _ in range(colours))
    start = 14 + len(head) + len(table)
    if way in (1, 2):
        data = runs(draw, width, height, way == 2, start)
    else:
        data = noise(draw, (width * bits + 31) // 32 * 4 * height)
    if draw.random() < 0.06:
        data = data[: draw.randrange(len(data))]
    # Some writers give the place of the table, or none.
    at = draw.choice([start] * 8 + ([14 + length] if bits <= 8 else []) + [0])
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, at) + head + table + data


def pnm(draw):
    """All six kinds, with comments and all largest samples."""
    width, height, kind = draw.randint(1, 19), draw.randint(1, 9), draw.randint(1, 6)
    most = 1 if kind % 3 == 1 else draw.choice([255, 255, 1, 7, 100, 254, 256, 1000, 65534, 65535])
    blank = lambda: draw.choice([b" ", b"\n", b"\t", b"\r\n", b" # a note 7\n", b"\x0b"])
    data = b"P%d" % kind + draw.choice([b" ", b"\n"]) + b"%d" % width + blank() + b"%d" % height
    data += b"\n" if kind % 3 == 1 else blank() + b"%d\n" % most
    count = width * height * (3 if kind % 3 == 0 else 1)
    if kind == 1:
        data += b"".join(draw.choice([b"0", b"1"]) + draw.choice([b"", b" ", b"\n"]) for _ in range(count))
    elif kind < 4:
        data += b"".join(b"%d" % draw.randint(0, most) + blank() for _ in range(count))
    elif kind == 4:
        data += noise(draw, (width + 7) // 8 * height)
    else:
        data += b"".join(draw.randint(0, most).to_bytes(1 if most < 256 else 2, "big") for _ in range(count))
    return data[: draw.randrange(len(data))] if draw.random() < 0.06 else data


def float_tiff(draw):
    """Floats of grey, below 0 and above 255 too."""
    width, height = draw.randint(1, 30), draw.randint(1, 20)
    samples = np.array([draw.uniform(-60, 400) for _ in range(width * height)], np.float32).reshape(height, width)
    samples[0, 0] = draw.choice([255, 254.999, 0.999, -0.0, 1e30, -1e30])
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "TIFF", compression=draw.choice([None, "tiff_lzw", "tiff_adobe_deflate"]))
    return buffer.getvalue()


def read(data):
    """Hashes of `convert('RGB')` and of the picture on white; nothing if Pillow refuses it."""
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except (OSError, ValueError, SyntaxError):
        return {}
    layer = image.convert("RGBA")
    white = Image.alpha_composite(Image.new("RGBA", layer.size, (255, 255, 255, 255)), layer).convert("RGB")
    sha = lambda picture: hashlib.sha256(picture.tobytes()).hexdigest()
    return {"size": list(image.size), "sha256": sha(image.convert("RGB")), "white": sha(white)}


def main():
    cases = []
    for make, count in ((gif, 60), (bmp, 110), (pnm, 60), (float_tiff, 10)):
        for i in range(count):
            data = make(Random(f"{make.__name__} {i}"))
            cases.append({"file": f"{make.__name__}-{i}", "data": base64.b64encode(data).decode(), **read(data)})
    TARGET.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
