"""Writes the fixtures of packages/image with Pillow and transformers.

Made with Pillow 12.3.0, numpy 2.4.6 and transformers 5.18.0. Run from anywhere: python tools/golden/image_fixtures.py
"""

import base64
import hashlib
import io
import json
import pathlib
import struct
import zlib

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps
from transformers import CLIPImageProcessorPil
from transformers.image_transforms import center_crop, normalize, rescale

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "packages/image/src/__fixtures__"
FILTERS = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
random = np.random.default_rng(20240817)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def write_json(name, value):
    (FOLDER / name).write_text(json.dumps(value, separators=(",", ":")) + "\n")


# The sources of all arithmetic tests are cut out of one run of bytes: noise with flat black and white stretches, whose
# edges make the filters overshoot. Its length is prime, so that no row repeats the one above.
noise = random.integers(0, 256, 19997, dtype=np.uint8)
for start in range(0, len(noise), 300):
    noise[start : start + int(random.integers(0, 150))] = 255 * int(random.integers(0, 2))


def source(width, height, offset):
    return np.resize(np.roll(noise, -offset), height * width * 3).reshape(height, width, 3)


def sizes_of_resize():
    fixed = [
        (1, 1, 1, 1), (1, 1, 7, 5), (7, 5, 1, 1), (1, 64, 1, 9), (64, 1, 9, 1), (1, 33, 33, 1), (33, 1, 1, 33),
        (37, 29, 37, 29), (37, 29, 37, 11), (37, 29, 91, 29), (2, 2, 3, 3), (3, 2, 2, 3), (301, 3, 5, 77), (3, 301, 77, 5),
        (500, 2, 2, 2), (2, 500, 2, 2), (3, 301, 77, 500), (2, 401, 2, 9), (2, 401, 9, 401), (224, 224, 336, 336), (1201, 803, 336, 224), (640, 479, 299, 224), (97, 131, 384, 384),
        (1023, 767, 1, 1), (5, 5, 500, 500), (255, 256, 256, 255), (10, 10, 999, 3),
    ]
    drawn = []
    for _ in range(60):
        width, height, to_width, to_height = (int(v) for v in np.exp(random.uniform(0, np.log(260), 4)).astype(int))
        drawn.append((width, height, to_width, to_height))
    return fixed + drawn


def resizes():
    cases = []
    for width, height, to_width, to_height in sizes_of_resize():
        offset = int(random.integers(0, len(noise)))
        image = Image.fromarray(source(width, height, offset))
        expected = {}
        arrays = {}
        for name in FILTERS:
            result = image.resize((to_width, to_height), Image.Resampling[name.upper()]).tobytes()
            expected[name] = sha(result)
            if len(result) <= 108:
                arrays[name] = base64.b64encode(result).decode()
        cases.append({"from": [width, height], "to": [to_width, to_height], "offset": offset, "sha256": expected, "samples": arrays})
    write_json("resize.json", cases)


def float_resizes():
    """PyTorch's antialiased bilinear resampling of float32; of large results every nth sample.

    A result one pixel wide and several high is wrong in PyTorch 2.13, which repeats its first row, so none is asked for.
    """
    draw = np.random.default_rng(20240925)
    sizes = [
        (1, 1, 7, 5), (7, 5, 1, 1), (37, 29, 37, 11), (37, 29, 91, 29), (2, 2, 3, 3), (301, 3, 5, 77), (3, 301, 77, 5),
        (224, 224, 336, 336), (1201, 803, 336, 224), (97, 131, 384, 384), (255, 256, 256, 255), (1920, 1080, 784, 441),
        (3001, 40, 1008, 13), (640, 480, 746, 560),
    ] + [tuple(int(v) for v in np.exp(draw.uniform(0, np.log(400), 4))) for _ in range(20)]
    cases = []
    for width, height, to_width, to_height in sizes:
        to_width = max(to_width, 1 if to_height == 1 else 2)
        offset = int(draw.integers(0, len(noise)))
        samples = torch.from_numpy(source(width, height, offset).copy()).permute(2, 0, 1)[None].float() / 255
        result = torch.nn.functional.interpolate(
            samples, size=(to_height, to_width), mode="bilinear", align_corners=False, antialias=True
        )
        flat = result[0].permute(1, 2, 0).flatten().numpy()
        step = max(1, len(flat) // 60)
        kept = base64.b64encode(flat[::step].astype("<f4").tobytes()).decode()
        cases.append({"from": [width, height], "to": [to_width, to_height], "offset": offset, "step": step, "samples": kept})
    write_json("resize-float.json", cases)


def crops():
    cases = []
    sizes = [(int(w), int(h)) for w, h in random.integers(1, 60, (12, 2))]
    for width, height in sizes + [(30, 31), (31, 30)]:
        offset = int(random.integers(0, len(noise)))
        pixels = source(width, height, offset)
        image = Image.fromarray(pixels)
        for to_width, to_height in [(16, 16), (17, 24), (64, 63), (65, 5), (6, 66), (width, height)]:
            expected = center_crop(pixels, (to_height, to_width), input_data_format="channels_last")
            left, top = (int(v) for v in random.integers(-20, 50, 2))
            box = image.crop((left, top, left + to_width, top + to_height))
            cases.append({
                "from": [width, height], "to": [to_width, to_height], "offset": offset, "center": sha(expected.tobytes()),
                "corner": [left, top], "crop": sha(box.tobytes()),
            })  # fmt: skip
    write_json("crop.json", cases)


def pixel_values():
    statistics = {
        "clip": ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711], 1 / 255),
        "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], 0.00392156862745098),
        "siglip": ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], 1 / 255),
        "rescaled only": ([0, 0, 0], [1, 1, 1], 1 / 255),
        "as they are": ([0, 0, 0], [1, 1, 1], 1),
        "from -1 to 1": ([1, 1, 1], [1, 1, 1], 1 / 127.5),
        "odd": ([0.1234567, 0.7654321, 0.333333], [0.0987654, 1.23456, 0.1], 0.00731),
    }
    every = np.stack([np.arange(256), np.arange(256)[::-1], np.roll(np.arange(256), 77)], -1).astype(np.uint8).reshape(8, 32, 3)
    (FOLDER / "every-sample.bin").write_bytes(every.tobytes())
    cases = []
    for name, (mean, std, factor) in statistics.items():
        case = {"name": name, "mean": mean, "std": std, "rescale": factor}
        for layout in ["chw", "hwc"]:
            pixels = every.transpose(2, 0, 1) if layout == "chw" else every
            form = "channels_first" if layout == "chw" else "channels_last"
            values = normalize(rescale(pixels, factor, input_data_format=form), mean, std, input_data_format=form)
            assert values.dtype == np.float32
            values = np.ascontiguousarray(values)
            case[layout] = sha(values.astype("<f4").tobytes())
            case[f"{layout}First"] = [float(v) for v in values.reshape(-1)[:3]]
        cases.append(case)
    write_json("pixel-values.json", cases)


def processors():
    cases = []
    for width, height in [(61, 47), (40, 90), (224, 31)]:
        offset = int(random.integers(0, len(noise)))
        processor = CLIPImageProcessorPil(size={"shortest_edge": 30}, crop_size={"height": 28, "width": 28})
        values = processor(Image.fromarray(source(width, height, offset)), return_tensors="np")["pixel_values"]
        assert values.dtype == np.float32 and values.shape == (1, 3, 28, 28)
        scale = 30 / min(width, height)
        resized = [30, int(30 * height / width)] if width < height else [int(30 * width / height), 30]
        assert max(resized) <= max(width, height) * scale + 1
        cases.append({
            "from": [width, height], "offset": offset, "resized": resized, "mean": list(processor.image_mean),
            "std": list(processor.image_std), "sha256": sha(values.tobytes()),
        })  # fmt: skip
    write_json("clip.json", cases)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows, width, height, depth, colour_type, extra=b""):
    """A PNG of the kinds that Pillow cannot write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def display_p3():
    """The sRGB profile with the primaries of Display P3."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.51512, 0.24120, -0.00105), b"gXYZ": (0.29198, 0.69225, 0.04189), b"bXYZ": (0.15710, 0.06657, 0.78407),
    }  # fmt: skip
    for i in range(struct.unpack(">I", profile[128:132])[0]):
        kind, at, _ = struct.unpack(">4sII", profile[132 + 12 * i : 144 + 12 * i])
        if kind in primaries:
            profile[at + 8 : at + 20] = b"".join(struct.pack(">i", round(v * 65536)) for v in primaries[kind])
    return bytes(profile)


def pictures():
    """Encoded images by file name."""
    width, height = 37, 29
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.stack([x * 255 / (width - 1), y * 255 / (height - 1), (x + y) * 255 / (width + height - 2)], -1)
    blocks = random.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3)).repeat(4, 0).repeat(4, 1)[:height, :width]
    pixels = (ramp * 0.7 + blocks * 0.3).astype(np.uint8)
    colour = Image.fromarray(pixels)
    grey = colour.convert("L")
    opacity = random.integers(0, 256, (height, width), dtype=np.uint8)
    opacity[:5] = 0
    see_through = Image.fromarray(np.dstack([pixels, opacity]))
    palette = colour.quantize(16)
    turned = colour.rotate(90)
    profile = display_p3()
    files = {}

    def add(name, image, **options):
        buffer = io.BytesIO()
        image.save(buffer, {"jpg": "JPEG", "tif": "TIFF"}.get(name.split(".")[1], name.split(".")[1].upper()), **options)
        files[name] = buffer.getvalue()

    for subsampling, name in enumerate(["444", "422", "420"]):
        add(f"{name}.jpg", colour, quality=80, subsampling=subsampling)
    # 4:4:0 by another sampling factor in the frame header and as many blocks: the picture is scrambled but valid.
    add("440.jpg", colour.resize((48, 32)), quality=80, subsampling=1)
    scrambled = bytearray(files["440.jpg"])
    frame = scrambled.index(b"\xff\xc0")
    scrambled[frame + 5 : frame + 9] = struct.pack(">HH", 64, 24)
    scrambled[frame + 11] = 0x12
    files["440.jpg"] = bytes(scrambled)
    add("progressive.jpg", colour, quality=60, progressive=True)
    add("grey.jpg", grey)
    add("cmyk.jpg", colour.convert("CMYK"))
    add("trailing.jpg", colour, quality=70)
    files["trailing.jpg"] += b"more"
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        add(f"orientation-{orientation}.jpg", colour, exif=exif, quality=75)
    exif[0x112] = 6
    add("orientation-6.png", colour, exif=exif)
    add("orientation-6.webp", colour, exif=exif, lossless=True)
    add("orientation-6.tif", colour, exif=exif, compression="tiff_lzw")
    add("display-p3.jpg", colour, icc_profile=profile, quality=75)
    add("display-p3.png", colour, icc_profile=profile)
    add("rgb.png", colour)
    add("grey.png", grey)
    add("bilevel.png", colour.convert("1"))
    add("palette.png", palette)
    add("palette-transparent.png", palette, transparency=3)
    add("palette-alpha.png", palette, transparency=bytes(range(0, 256, 16)))
    add("rgba.png", see_through)
    add("grey-alpha.png", see_through.convert("LA"))
    add("rgb-transparent.png", colour, transparency=tuple(int(v) for v in pixels[0, 0]))
    add("grey-transparent.png", grey, transparency=int(np.asarray(grey)[3, 3]))
    wide = random.integers(0, 65536, (8, 9, 4)).astype(">u2")
    low = random.integers(0, 600, (8, 9)).astype(">u2")
    level = chunk(b"tRNS", struct.pack(">H", int(low[0, 0])))
    iccp = chunk(b"iCCP", b"p3\0\0" + zlib.compress(profile))
    files["grey-16.png"] = png([row.tobytes() for row in low], 9, 8, 16, 0)
    files["grey-16-transparent.png"] = png([row.tobytes() for row in low], 9, 8, 16, 0, level)
    files["grey-alpha-16.png"] = png([row[:, :2].tobytes() for row in wide], 9, 8, 16, 4)
    files["rgb-16.png"] = png([row[:, :3].tobytes() for row in wide], 9, 8, 16, 2)
    files["rgb-16-display-p3.png"] = png([row[:, :3].tobytes() for row in wide], 9, 8, 16, 2, iccp)
    files["rgba-16.png"] = png([row.tobytes() for row in wide], 9, 8, 16, 6)
    for depth in [2, 4]:
        rows = [random.integers(0, 256, (9 * depth + 7) // 8, dtype=np.uint8).tobytes() for _ in range(8)]
        files[f"grey-{depth}-bit.png"] = png(rows, 9, 8, depth, 0)
    add("palette.gif", palette)
    add("transparent.gif", palette, transparency=3)
    add("animated.gif", palette, save_all=True, append_images=[turned], duration=50)
    add("lossy.webp", colour, quality=80)
    add("lossy-alpha.webp", see_through, quality=80)
    add("lossless.webp", colour, lossless=True)
    add("lossless-alpha.webp", see_through, lossless=True, exact=True)
    add("animated.webp", colour, save_all=True, append_images=[turned], lossless=True)
    add("lzw.tif", colour, compression="tiff_lzw")
    add("grey-16.tif", Image.fromarray(low.astype(np.uint16)))
    add("cmyk.tif", colour.convert("CMYK"), compression="tiff_lzw")
    add("palette.tif", palette)
    add("rgba.tif", see_through, compression="tiff_lzw")
    add("444.avif", colour, quality=80, subsampling="4:4:4")
    return files


def on_white(image):
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, (255, 255, 255, 255)), layer).convert("RGB")


def decodes():
    folder = FOLDER / "decode"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    cases = []
    for name, encoded in pictures().items():
        (folder / name).write_bytes(encoded)
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded)))
        rgb = image.convert("RGB")
        case = {"file": name, "size": list(rgb.size), "sha256": sha(rgb.tobytes())}
        if "alpha" in name or "rgba" in name or "transparent" in name:
            if image.mode != "I;16":
                case["white"] = sha(on_white(image).tobytes())
        if name.endswith("avif"):
            case["samples"] = base64.b64encode(rgb.tobytes()).decode()
        cases.append(case)
    write_json("decode.json", cases)
    colour = Image.open(folder / "lzw.tif")
    for name, samples in [("cut.jpg", 0.8), ("cut.png", 0.6), ("cut.webp", 0.6), ("cut.gif", 0.5)]:
        buffer = io.BytesIO()
        colour.save(buffer, "JPEG" if name == "cut.jpg" else name.split(".")[1].upper())
        (folder / name).write_bytes(buffer.getvalue()[: int(len(buffer.getvalue()) * samples)])


FOLDER.mkdir(exist_ok=True)
(FOLDER / "noise.bin").write_bytes(noise.tobytes())
resizes()
crops()
pixel_values()
processors()
decodes()
float_resizes()
