"""Writes how image processors round: the sizes, grids and tokens of 100,000 pictures for each, by the reference's code.

Only sizes are computed, no pixels. Run from anywhere: python tools/golden/sizes.py
"""

import hashlib
import json
import math
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from transformers.image_processing_backends import PilBackend
from transformers.image_processing_utils import get_patch_output_size, select_best_resolution
from transformers.image_transforms import get_resize_output_image_size
from transformers.image_utils import ChannelDimension, SizeDict
from transformers.models.fuyu.image_processing_pil_fuyu import FuyuImageProcessorPil
from transformers.models.got_ocr2 import image_processing_pil_got_ocr2 as got_ocr2
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.janus import image_processing_pil_janus as janus
from transformers.models.llava_next import modeling_llava_next as llava_next
from transformers.models.llava_next.processing_llava_next import LlavaNextProcessor
from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor
from transformers.models.mllama import image_processing_pil_mllama as mllama
from transformers.models.pixtral import image_processing_pil_pixtral as pixtral
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

import mm15
import molmo

PACKAGES = Path(__file__).resolve().parents[2] / "packages"
COUNT = 100_000
CLEAR = 100
"""Cases that are written with their numbers; of the others there is a hash."""

REFUSED = [-1]


class Mulberry:
    """The generator of the tests, which draw the same sizes: 32 bits at a time."""

    def __init__(self, seed):
        self.state = seed

    def __call__(self, below):
        self.state = (self.state + 0x6D2B79F5) & 0xFFFFFFFF
        t = self.state
        t = ((t ^ (t >> 15)) * (t | 1)) & 0xFFFFFFFF
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & 0xFFFFFFFF)) & 0xFFFFFFFF
        return (t ^ (t >> 14)) % below


SHAPES = [(4, 3), (3, 2), (16, 9), (1, 1), (2, 1), (3, 1)]


def draw_size(draw, unit):
    """A width and a height: of photographs, near whole units, near squares, thin, or any."""
    kind = draw(8)
    if kind < 2:
        return 1 + draw(2500), 1 + draw(2500)
    if kind == 2:
        return 1 + draw(2 ** (1 + draw(14))), 1 + draw(2 ** (1 + draw(14)))
    if kind == 3:
        side = 1 + draw(4096)
        return side, max(1, side + draw(5) - 2)
    if kind == 4:
        return tuple(max(1, unit * draw(9) + draw(5) - 2) for _ in range(2))
    if kind == 5:
        (a, b), k = SHAPES[draw(len(SHAPES))], 1 + draw(700)
        return (a * k, b * k) if draw(2) else (b * k, a * k)
    long, short = 1 + draw(10000), 1 + draw(40)
    return (long, short) if draw(2) else (short, long)


def blank(height, width):
    """A picture of this size that takes no memory."""
    return np.broadcast_to(np.uint8(0), (3, height, width))


# The reference resizes within the methods that choose the size; here a resized picture is its size.
PilBackend.resize = lambda self, image, size, **_: blank(size.height, size.width)
janus.np_resize = lambda image, size, **_: blank(*size)


def sizes_of(image):
    return [int(side) for side in image.shape[-2:]]


def clip(edge):
    def run(width, height, _):
        target = get_resize_output_image_size(blank(height, width), edge, False, input_data_format=ChannelDimension.FIRST)
        # The corner of the crop: `center_crop` of image_transforms.
        return [*target, *((side - edge) // 2 for side in target)]

    return run


def janus_half_even(side):
    processor = janus.JanusImageProcessorPil(size={"height": side, "width": side})
    return lambda width, height, _: sizes_of(processor.resize(blank(height, width), SizeDict(height=side, width=side), 14))


def janus_down(side):
    # VLMImageProcessor.resize of the original repository.
    return lambda width, height, _: [max(int(own / max(height, width) * side), 14) for own in (height, width)]


def idefics3(longest, tile):
    processor = Idefics3ImageProcessorPil()

    def run(width, height, _):
        first = processor.resize(blank(height, width), SizeDict(longest_edge=longest))
        whole = processor.resize_for_vision_encoder(first, tile)
        frames, rows, columns = processor.split_images(whole, {"longest_edge": tile})
        return [*sizes_of(first), *sizes_of(whole), rows, columns, len(frames)]

    return run


def internvl(side, least, most):
    def run(width, height, _):
        columns, rows = got_ocr2.get_optimal_tiled_canvas((height, width), (side, side), least, most)
        return [rows, columns, rows * columns + (rows * columns > 1)]

    return run


def llama_vision(side, most):
    def run(width, height, _):
        canvas = mllama.get_optimal_tiled_canvas(height, width, most, side)
        size = mllama.get_image_size_fit_to_canvas(height, width, *canvas, side)
        return [*(int(own) // side for own in canvas), *(int(own) for own in size)]

    return run


def fitted(resolutions):
    def run(width, height, _):
        resolution = select_best_resolution((height, width), resolutions)
        return [*resolution, *get_patch_output_size(blank(height, width), resolution, ChannelDimension.FIRST)]

    return run


def anyres(pinpoints, side, grid, most):
    """LLaVA-NeXT, and LLaVA-OneVision where there is a most; the model's count must be the processor's."""
    class_of = LlavaOnevisionProcessor if most else LlavaNextProcessor
    processor = SimpleNamespace(vision_aspect_ratio=f"anyres_max_{most}")

    def run(width, height, _):
        rows, columns = llava_next.get_anyres_image_grid_shape((height, width), pinpoints, side)
        features = torch.empty(1, rows * grid, columns * grid, device="meta")
        _, high, wide = llava_next.unpad_image(features, (height, width)).shape
        patches, newlines = class_of._get_unpadded_features(processor, height, width, grid, grid, rows, columns)
        if most and (ratio := math.sqrt(high * wide / (most * grid**2))) > 1.1:
            # Of `pack_image_features`.
            high, wide = int(high // ratio), int(wide // ratio)
        assert (patches, newlines) == (high * wide, high)
        return [rows, columns, high, wide, grid * grid + patches + newlines]

    return run


def aria(side, resolutions, least):
    fits = fitted(resolutions)

    def run(width, height, _):
        # Of `_preprocess`, for the picture as it is.
        scale = side / max(height, width)
        whole = (max(int(height * scale), least), side) if width >= height else (side, max(int(width * scale), least))
        return [*fits(width, height, _), *whole]

    return run


def qwen2(least, most):
    def run(width, height, _):
        try:
            return list(smart_resize(height, width, 28, least, most))
        except ValueError:
            return REFUSED

    return run


def qwen2_video(least, most, tokens):
    def run(width, height, draw):
        frames = 1 + draw(900)
        # Of `Qwen2VLVideoProcessor.resize`, whose module needs torchvision.
        total = int(tokens * 28 * 28 * 0.9)
        share = max(min(most, total * 2 // frames), int(least * 1.05))
        try:
            return [*smart_resize(height, width, 28, least, share), math.ceil(frames / 2)]
        except ValueError:
            return REFUSED

    return run


def pixtral_rows(longest, patch):
    def run(width, height, _):
        size = pixtral.get_resize_output_image_size(
            blank(height, width), (longest, longest), (patch, patch), ChannelDimension.FIRST
        )
        # Pillow makes no picture without pixels.
        return list(size) if min(size) > 0 else REFUSED

    return run


def fuyu(most, patch):
    processor = FuyuImageProcessorPil()

    def run(width, height, _):
        size = sizes_of(processor.resize(blank(height, width), SizeDict(height=most[0], width=most[1])))
        # Of `preprocess_with_tokenizer_info`, which divides tensors.
        counts = [math.ceil(torch.tensor(own) / patch) for own in size]
        return [*size, *counts] if min(size) > 0 else REFUSED

    return run


def molmo_crops(side, patch, margins, most):
    processor = object.__new__(molmo.Processor)
    processor.side, processor.patch, processor.margins, processor.max_crops = side, patch, margins, most
    processor.count = side // patch
    processor.window = processor.count - sum(margins)

    def run(width, height, _):
        rows, columns = processor.tiling(height, width)
        canvas = [(n * processor.window + sum(margins)) * patch for n in (rows, columns)]
        sizes = [processor.size_in(height, width, *frame) for frame in (canvas, (side, side))]
        return [rows, columns, *sizes[0], *sizes[1]] if min(map(min, sizes)) > 0 else REFUSED

    return run


def mm15_tiles(side, least, most):
    def run(width, height, _):
        rows, columns, scale = mm15.grid_of(width, height, side, least, most)
        return [rows, columns, *mm15.size_in(width, height, rows, columns, side, scale)]

    return run


NEXT = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
ONEVISION = [[384 * rows, 384 * columns] for rows in range(1, 7) for columns in range(1, 7)]
ARIA = [[490 * rows, 490 * columns] for rows, columns in [(1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (1, 7), (1, 8), (2, 4), (2, 3), (2, 2), (2, 1), (3, 1), (3, 2), (4, 1), (4, 2), (5, 1), (6, 1), (7, 1), (8, 1)]]  # fmt: skip

PROCESSORS = {
    # Name: the unit near whose multiples sizes are drawn, and the numbers of a width and a height.
    "clip-224": (224, clip(224)),
    "clip-336": (336, clip(336)),
    "janus": (384, janus_half_even(384)),
    "janus-original": (384, janus_down(384)),
    "idefics3": (364, idefics3(4 * 364, 364)),
    "smolvlm": (512, idefics3(4 * 512, 512)),
    "internvl": (448, internvl(448, 1, 12)),
    "nvlm": (448, internvl(448, 1, 6)),
    "llama-3.2-vision": (560, llama_vision(560, 4)),
    "llava-next": (336, fitted(NEXT)),
    "llava-onevision": (384, fitted(ONEVISION)),
    "aria": (490, aria(980, ARIA, 336)),
    "qwen2-vl": (28, qwen2(56 * 56, 28 * 28 * 16384)),
    "qwen2-vl-limited": (28, qwen2(256 * 28 * 28, 1280 * 28 * 28)),
    "qwen2-vl-video": (28, qwen2_video(128 * 28 * 28, 768 * 28 * 28, 128000)),
    "pixtral": (16, pixtral_rows(1024, 16)),
    "pixtral-large": (14, pixtral_rows(1540, 14)),
    "fuyu": (30, fuyu((1080, 1920), 30)),
    "molmo": (224, molmo_crops(336, 14, (4, 4), 12)),
    "mm1.5": (378, mm15_tiles(378, 4, 9)),
}

ARRANGERS = {
    "llava-next": (336, anyres(NEXT, 336, 24, None)),
    "llava-onevision": (384, anyres(ONEVISION, 384, 27, 9)),
}


def results(name, unit, run):
    """The cases in the clear, and the hash of all numbers as int32."""
    draw = Mulberry(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little"))
    digest, clear = hashlib.sha256(), []
    for i in range(COUNT):
        width, height = draw_size(draw, unit)
        numbers = [int(number) for number in run(width, height, draw)]
        digest.update(struct.pack(f"<{len(numbers)}i", *numbers))
        if i < CLEAR:
            clear.append([width, height, numbers])
    return {"name": name, "unit": unit, "sha256": digest.hexdigest(), "cases": clear}


def quotients():
    """Python's floor division of floats: of features by ratios as they come about, of any numbers, and near whole ones."""
    draw = Mulberry(20261129)
    digest, clear = hashlib.sha256(), []
    for i in range(COUNT):
        if i % 3 == 0:
            x = float(1 + draw(700))
            y = math.sqrt(x * (1 + draw(700)) / ((1 + draw(12)) * (2 + draw(40)) ** 2))
        elif i % 3 == 1:
            x, y = ((draw(2**32) - 2**31 + 0.5) / 2 ** draw(60) for _ in range(2))
        else:
            y = (draw(1000) - 500.5) / (1 + draw(1000))
            x = y * (draw(1000) - 500)
        row = struct.pack("<3d", x, y, x // y)
        digest.update(row)
        if i < CLEAR:
            clear.append([x, y, x // y])
    return {"sha256": digest.hexdigest(), "cases": clear}


def write(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(value)


def main():
    line = lambda value: json.dumps(value, separators=(",", ":"))
    for package, table in (("processors", PROCESSORS), ("connector-anyres", ARRANGERS)):
        rows = ",\n".join(line(results(name, *entry)) for name, entry in table.items())
        write(PACKAGES / package / "src/__fixtures__/sizes.json", f"[\n{rows}\n]\n")
    write(PACKAGES / "spec/src/__fixtures__/floor-divide.json", line(quotients()) + "\n")


if __name__ == "__main__":
    main()
