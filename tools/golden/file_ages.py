"""Draws folders whose files come from several years, and stores what transformers makes of each. See README.md.

A case is a fixture's folder with some of its JSON files replaced: the image processor nested in processor_config.json, on
its own in preprocessor_config.json, or in both of different content; keys left out, renamed, null or in the form of
another year; names of other classes; templates and tokens in several files. The description is what
`packages/runtime/src/file-ages.ts` builds the same folder from.
"""

import argparse
import hashlib
import importlib
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.models.fuyu import image_processing_pil_fuyu
from transformers.models.pixtral import image_processing_pil_pixtral
from transformers.processing_utils import ProcessorMixin
from transformers.utils import logging

# Processors ask these modules, which need torchvision, for what their Pillow twins have too.
sys.modules["transformers.models.fuyu.image_processing_fuyu"] = image_processing_pil_fuyu
sys.modules["transformers.models.pixtral.image_processing_pixtral"] = image_processing_pil_pixtral

from transformers.models.fuyu.processing_fuyu import FuyuProcessor  # noqa: E402
from transformers.models.pixtral.processing_pixtral import PixtralProcessor  # noqa: E402

from aria import Side  # noqa: E402
from internvl import ImageInternVLProcessor  # noqa: E402
from llava_next import ImagesOnly  # noqa: E402
from qwen2_vl import ImageQwen2VLProcessor  # noqa: E402
from smolvlm import ImageSmolVLMProcessor  # noqa: E402

MODELS = Path(__file__).parents[2] / "packages/models/__fixtures__"
STORED = Path(__file__).parents[2] / "packages/runtime/src/__fixtures__/file-ages.json"

ImageSmolVLMProcessor.get_attributes = classmethod(lambda cls: ["image_processor", "tokenizer"])
ImageSmolVLMProcessor.apply_chat_template = ProcessorMixin.apply_chat_template
WITHOUT_VIDEO = [
    ("llava_onevision", "LlavaOnevisionProcessor", ImagesOnly),
    ("qwen2_vl", "Qwen2VLProcessor", ImageQwen2VLProcessor),
    ("qwen2_5_vl", "Qwen2_5_VLProcessor", ImageQwen2VLProcessor),
    ("internvl", "InternVLProcessor", ImageInternVLProcessor),
    ("smolvlm", "SmolVLMProcessor", ImageSmolVLMProcessor),
    ("pixtral", "PixtralProcessor", PixtralProcessor),
    ("fuyu", "FuyuProcessor", FuyuProcessor),
]
"""Classes that this environment has under another name, or not at all; AutoProcessor finds them by the real one."""

SEEING = [
    "llava-clip",
    "llava-siglip-qwen2",
    "llava-dino",
    "llava-hub-names",
    "llava-next-two",
    "llava-onevision-two",
    "idefics3-split",
    "smolvlm-many",
    "pixtral-hub",
    "mllama-two-tiles",
    "aria-two",
    "fuyu-small",
    "internvl-two",
    "janus-two",
    "qwen2-vl-two",
    "qwen2.5-vl-hub",
]
READING = ["text-llama3", "text-qwen2-tied", "text-mistral-window", "text-phi3"]

MOST_PIXELS = 200_000
"""Values of the pixels of one picture that a model is asked for."""

SIZES = [(40, 30), (23, 57), (48, 48), (19, 12), (71, 33)]
"""Width and height of the pictures."""

TYPES = [
    "CLIPImageProcessor",
    "SiglipImageProcessor",
    "LlavaImageProcessor",
    "ViTImageProcessor",
    "BitImageProcessor",
    "LlavaNextImageProcessor",
    "Idefics3ImageProcessor",
    "PixtralImageProcessor",
    "Qwen2VLImageProcessor",
    "NoSuchImageProcessor",
]
PROCESSORS = ["LlavaProcessor", "LlavaNextProcessor", "Idefics3Processor", "Qwen2VLProcessor", "NoSuchProcessor"]
NEUTRAL = {"do_convert_rgb": True, "return_tensors": None, "data_format": "channels_first", "unheard_of": 3}


def picture(width, height):
    """A smooth picture by a rule that both sides know."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    values = (x * (3 + c) + y * (5 - c) + (x * y) // 7 + 40 * c) % 511
    return Image.fromarray(np.minimum(values, 510 - values).astype(np.uint8))


def read(folder, name):
    path = folder / name
    return json.loads(path.read_text()) if path.exists() else None


def parts_of(name):
    """The image processor of a fixture, and what else its processor_config.json says."""
    folder = MODELS / name
    outer = read(folder, "processor_config.json") or {}
    own = read(folder, "preprocessor_config.json")
    nested = outer.pop("image_processor", None)
    image = {key: value for key, value in (nested or own or {}).items() if key != "processor_class"}
    return image, outer


def patched(base, patch):
    kept = {key: value for key, value in base.items() if key not in patch.get("drop", [])}
    return {**kept, **patch.get("set", {})}


# Drawing


def draw_size(draw, value):
    """A size in the forms of all years."""
    side = max(value.values()) if isinstance(value, dict) else 12
    forms = [
        side,
        [side, side],
        {"height": side, "width": side},
        {"shortest_edge": side},
        {"longest_edge": side},
        {"shortest_edge": side, "longest_edge": 2 * side},
        {"height": side},
        None,
    ]
    return draw.choice(forms)


def draw_image(draw, base, stale):
    """Changes of an image processor's keys."""
    change = {"set": {}, "drop": []}
    if stale:
        change["set"]["image_mean"] = draw.choice([[0.1, 0.2, 0.3], [0, 0, 0], 0.4])
        change["set"]["image_std"] = draw.choice([[1, 1, 1], [0.3, 0.2, 0.5]])
    for _ in range(draw.choice([0, 0, 0, 1, 1, 2])):
        kind = draw.random()
        keys = sorted(base)
        if kind < 0.35:
            change["drop"].append(draw.choice(keys))
        elif kind < 0.5:
            change["set"][draw.choice(keys)] = None
        elif kind < 0.68:
            sized = [key for key in ("size", "crop_size") if key in base] or ["size"]
            key = draw.choice(sized)
            change["set"][key] = draw_size(draw, base.get(key))
        elif kind < 0.8:
            flags = [key for key in keys if key.startswith("do_")] or ["do_normalize"]
            change["set"][draw.choice(flags)] = draw.choice([False, False, True])
        elif kind < 0.9:
            change["set"]["resample"] = draw.choice([0, 1, 2, 3, 4, 5])
        elif kind < 0.95:
            change["set"]["rescale_factor"] = draw.choice([1 / 255, 1 / 127.5])
        else:
            key = draw.choice(sorted(NEUTRAL))
            change["set"][key] = NEUTRAL[key]
    kind = draw.random()
    own = base.get("image_processor_type")
    if kind < 0.08:
        change["set"]["image_processor_type"] = own + "Fast"
    elif kind < 0.12:
        change["set"]["image_processor_type"] = own + "Pil"
    elif kind < 0.2:
        change["drop"].append("image_processor_type")
    elif kind < 0.26:
        change["drop"].append("image_processor_type")
        change["set"]["feature_extractor_type"] = own.replace("ImageProcessor", "FeatureExtractor")
    elif kind < 0.3:
        change["set"]["feature_extractor_type"] = "CLIPFeatureExtractor"
    elif kind < 0.36:
        change["set"]["image_processor_type"] = draw.choice(TYPES)
    return {key: value for key, value in change.items() if value}


def draw_outer(draw, base):
    """Changes of what stands beside the image processor."""
    change = {"set": {}, "drop": []}
    fields = [key for key in sorted(base) if key != "processor_class"]
    kind = draw.random()
    if kind < 0.08 and fields:
        change["drop"].append(draw.choice(fields))
    elif kind < 0.14:
        numbers = [key for key in fields if type(base[key]) is int]
        if numbers:
            key = draw.choice(numbers)
            change["set"][key] = base[key] + 1
    elif kind < 0.2:
        change["drop"].append("processor_class")
    elif kind < 0.24:
        change["set"]["processor_class"] = draw.choice(PROCESSORS)
    return {key: value for key, value in change.items() if value}


def draw_tokens(draw, fixture):
    """Tokens in the files of several years."""
    known = read(MODELS / fixture, "tokenizer_config.json")
    files = {}
    kind = draw.random()
    token = draw.choice(["<extra_0>", "star", known.get("eos_token")])
    entry = {"content": token, "lstrip": False, "rstrip": False, "normalized": draw.choice([True, False]), "single_word": False}
    if kind < 0.2:
        value = {"bos_token": known.get("bos_token"), "eos_token": known.get("eos_token")}
        files["special_tokens_map.json"] = {key: value for key, value in value.items() if value is not None} | draw.choice(
            [{}, {"bos_token": known.get("eos_token")}, {"additional_special_tokens": ["<extra_0>", "star"]}]
        )
    if 0.1 < kind < 0.3:
        size = len(json.loads((MODELS / fixture / "tokenizer.json").read_text())["model"]["vocab"])
        files["added_tokens.json"] = {"<extra_0>": size + 300}
    change = {"set": {}, "drop": []}
    if 0.3 < kind < 0.4:
        stored = json.loads((MODELS / fixture / "tokenizer.json").read_text())
        number = max([*stored["model"]["vocab"].values(), *[one["id"] for one in stored["added_tokens"]]]) + 1
        change["set"]["added_tokens_decoder"] = {str(number): entry | {"special": draw.choice([True, False])}}
    elif kind < 0.45:
        change["set"]["add_bos_token"] = draw.choice([True, False])
    elif kind < 0.5:
        change["set"]["add_eos_token"] = draw.choice([True, False])
    elif kind < 0.55:
        change["set"][draw.choice(["additional_special_tokens", "extra_special_tokens"])] = ["<extra_0>", "star"]
    elif kind < 0.6:
        change["set"]["extra_special_tokens"] = {"star_token": "star"}
    return {key: value for key, value in change.items() if value}, files


def draw_templates(draw):
    """Which files hold a template; each writes its own letter at the end."""
    where = ["jinja", "json", "processor", "tokenizer", "tokenizer-list", "extra", "extra-default"]
    if draw.random() < 0.5:
        return ["jinja"]
    if draw.random() < 0.75:
        where = where[:5]
    return sorted(draw.sample(where, draw.choice([1, 2, 2, 3])))


def draw_case(draw):
    fixture = draw.choice(SEEING * 4 + READING)
    case = {"of": fixture, "templates": draw_templates(draw), "size": list(draw.choice(SIZES))}
    case["tokenizer"], case["files"] = draw_tokens(draw, fixture) if draw.random() < 0.4 else ({}, {})
    if fixture in READING:
        return {key: value for key, value in case.items() if value}
    image, outer = parts_of(fixture)
    layout = draw.choice(["nested", "own", "both", "both", "both", "both", "both", "null", "empty", "none"] if draw.random() < 0.95 else ["bare"])
    if layout in ("nested", "both"):
        case["nested"] = draw_image(draw, image, False)
    if layout in ("own", "both", "null", "empty", "bare"):
        case["own"] = draw_image(draw, image, layout == "both")
        if draw.random() < 0.3:
            case["own"].setdefault("set", {})["processor_class"] = draw.choice([outer["processor_class"]] * 3 + PROCESSORS)
        if fixture.startswith("qwen") and "nested" in case:
            # That file is also read for videos, which are left out here.
            case["own"].get("set", {}).pop("size", None)
    if layout == "null":
        case["nested"] = None
    if layout == "empty":
        case["nested"] = {"drop": sorted(image)}
    if layout != "bare":
        case["outer"] = draw_outer(draw, outer)
    kept = ("nested", "own", "outer", "of", "size")
    return {key: value for key, value in case.items() if value or key in kept}


# Building


# What users write never becomes a control token in Weft, so the tokens in question stand in the templates.
TEXT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '[' + message['role'] + ']' + message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)
SIGHT_TEMPLATE = (
    "{% for message in messages %}{{ '[' + message['role'] + ']' }}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ 'IMAGE' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
)
PLACEHOLDERS = {
    "pixtral": "[IMG]",
    "mllama": "<|image|>",
    "aria": "<|img|>",
    "internvl": "<IMG_CONTEXT>",
    "janus": "<image_placeholder>",
    "qwen2": "<|vision_start|><|image_pad|><|vision_end|>",
    "qwen2.5": "<|vision_start|><|image_pad|><|vision_end|>",
}
"""Of families whose placeholder is not `<image>`."""


def template_of(fixture, letter):
    end = f" <extra_0> star {letter}"
    if fixture in READING:
        return TEXT_TEMPLATE + end
    # Its processor would insert the first token where a template does not write it.
    start = "{{ bos_token }}" if fixture.startswith("mllama") else ""
    return start + SIGHT_TEMPLATE.replace("IMAGE", PLACEHOLDERS.get(fixture.split("-")[0], "<image>")) + end


def build(case, folder):
    """Writes the folder of a case; weights are linked."""
    fixture = case["of"]
    source = MODELS / fixture
    for path in source.iterdir():
        if path.suffix == ".safetensors" and path.name != "golden.safetensors" or path.name.endswith(".index.json"):
            (folder / path.name).symlink_to(path)
        elif path.name in ("config.json", "generation_config.json", "tokenizer.json"):
            shutil.copy(path, folder / path.name)
    image, outer = parts_of(fixture) if fixture in SEEING else ({}, {})
    files = dict(case.get("files", {}))
    tokenizer = patched(read(source, "tokenizer_config.json"), case.get("tokenizer", {}))
    templates = case.get("templates", [])
    text = {where: template_of(fixture, letter) for where, letter in zip(
        ["jinja", "json", "processor", "tokenizer", "tokenizer-list", "extra", "extra-default"], "ABCDEFG")}
    if "tokenizer" in templates:
        tokenizer["chat_template"] = text["tokenizer"]
    if "tokenizer-list" in templates:
        tokenizer["chat_template"] = [
            {"name": "other", "template": "no"},
            {"name": "default", "template": text["tokenizer-list"]},
        ]
    files["tokenizer_config.json"] = tokenizer
    if case.get("own") is not None:
        files["preprocessor_config.json"] = patched(image, case["own"])
    if case.get("outer") is not None or "processor" in templates:
        value = patched(outer, case.get("outer") or {})
        if "nested" in case:
            value["image_processor"] = None if case["nested"] is None else patched(image, case["nested"])
        if "processor" in templates:
            value["chat_template"] = text["processor"]
        files["processor_config.json"] = value
    if "json" in templates:
        files["chat_template.json"] = {"chat_template": text["json"]}
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value))
    if "jinja" in templates:
        (folder / "chat_template.jinja").write_text(text["jinja"])
    extra = {"extra": "other", "extra-default": "default"}
    for where, name in extra.items():
        if where in templates:
            (folder / "additional_chat_templates").mkdir(exist_ok=True)
            (folder / "additional_chat_templates" / f"{name}.jinja").write_text(text[where])


# Asking transformers


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def measure(values):
    """Shape, mean, and some values at fixed places."""
    flat = values.double().flatten()
    count = flat.numel()
    places = [(number * 2654435761 + 17) % count for number in range(10)]
    return {
        "count": count,
        "mean": round(flat.mean().item(), 4),
        "at": [round(flat[place].item(), 3) for place in places],
    }


def ask(case, folder):
    """What transformers makes of the folder: text, ids and pixels, or why not."""
    processor = AutoProcessor.from_pretrained(folder)
    question = "What is it?"
    if case["of"] in READING:
        messages = [{"role": "user", "content": question}]
        text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=True)["input_ids"]
        return {"text": digest(text), "ids": digest(",".join(map(str, ids))), "length": len(ids)}
    shown = picture(*case["size"])
    asked = {"return_tensors": "pt"}
    if case["of"].startswith("aria"):
        # The processor's own defaults go before the image processor's settings, unless they are given once more.
        own = processor.image_processor
        asked |= {"max_image_size": Side(own.max_image_size), "split_image": own.split_image}
    result = {}
    if case["of"].startswith("fuyu"):
        out = processor(text=question, images=[shown], **asked)
        pixels = torch.cat([one.reshape(1, -1) for one in out["image_patches"]], dim=1)
    else:
        content = [{"type": "image", "image": shown}, {"type": "text", "text": question}]
        messages = [{"role": "user", "content": content}]
        text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        result["text"] = digest(text)
        out = processor.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=True, processor_kwargs=asked
        )
        pixels = out["pixel_values"]
    ids = out["input_ids"][0].tolist()
    if pixels.numel() > MOST_PIXELS:
        # A tiny tower of small patches would need all memory; tiles of this size are not those of its configuration.
        raise ValueError("The pictures are larger than any that the fixture's tower is for.")
    model = AutoModelForImageTextToText.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager"
    ).eval()
    known = {key: value for key, value in out.items() if key not in ("batch_num_images", "num_crops", "num_patches")}
    with torch.no_grad():
        model(**known)
    return result | {"ids": digest(",".join(map(str, ids))), "length": len(ids), "pixels": measure(pixels)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--out", type=Path, default=STORED)
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    for name, attribute, processor in WITHOUT_VIDEO:
        setattr(importlib.import_module(f"transformers.models.{name}"), attribute, processor)
    lines = []
    for number in range(arguments.cases):
        case = draw_case(random.Random(arguments.seed * 100000 + number))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            build(case, folder)
            try:
                case["gives"] = ask(case, folder)
            except Exception as error:  # noqa: BLE001
                message = str(error).replace(str(folder), "FOLDER").split("\n")[0]
                case["fails"] = f"{type(error).__name__}: {message}"[:120]
        lines.append(json.dumps(case, separators=(",", ":"), ensure_ascii=False))
    arguments.out.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{sum('gives' in line for line in lines)} of {len(lines)} are taken by transformers")


if __name__ == "__main__":
    main()
